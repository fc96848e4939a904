#pragma once
// What simulations have reached, counted: a rule that is never put to the test proves nothing.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace offhook::sim {

enum class Count : std::uint8_t {
  steps,
  simulated_s,
  call_s,  // of calls, from dial to end
  calls,
  accepted,
  connected,
  ended_hangup,
  ended_canceled,
  ended_declined,
  ended_busy,
  ended_no_answer,
  ended_unreachable,
  ended_media_denied,
  ended_ice,
  ended_signaling_lost,
  ended_server_shutdown,
  ended_credentials,
  ended_by_app,
  placed,  // calls that the app has asked for, and that were made
  woken,   // calls without a device, that ring on for one
  lost_in_crash,
  journalled,
  outlived,        // of these: that the server has had again
  talks_restored,  // as both sides have told of them
  ends_told,       // to a side whose call the server did not know any more
  answered_elsewhere,
  accepted_fresh,
  glares,
  connections,
  resumes,
  new_sessions,
  late_hellos,
  overflows,
  replayed,
  repeated,
  messages,
  offers,
  fresh_offers,
  stale_offers,
  candidates,
  states,       // that the other side was told
  takes,        // of a call by another device
  quiet_looks,  // at calls between two ends that have everything
  allocations,
  introductions,
  relay_checks,
};
inline constexpr std::size_t kCounts = static_cast<std::size_t>(Count::relay_checks) + 1;
inline constexpr std::array<std::string_view, kCounts> kCountNames = {
    "steps",
    "simulated seconds",
    "call seconds",
    "calls",
    "accepted",
    "connected",
    "ended: hangup",
    "ended: canceled",
    "ended: declined",
    "ended: busy",
    "ended: no_answer",
    "ended: unreachable",
    "ended: media_denied",
    "ended: ice_failed, ice_lost",
    "ended: signaling_lost",
    "ended: server_shutdown",
    "ended: credentials",
    "ended by the app",
    "made as the app asked",
    "calls for which devices were woken",
    "lost in a crash",
    "rang on by the journal",
    "had again after a crash",
    "talked on after a crash",
    "ends told after a crash",
    "answered elsewhere",
    "accepted on another device than the warm one",
    "both dialled at once",
    "connections",
    "resumed",
    "new sessions",
    "late hellos refused",
    "closed for overflow",
    "messages sent again",
    "messages heard again",
    "messages heard",
    "offers",
    "fresh offers",
    "offers refused as stale",
    "candidates",
    "states told",
    "calls taken by another device",
    "calls looked at when quiet",
    "allocations",
    "introductions",
    "packets through the relay",
};

class Tally {
 public:
  void add(Count count, std::uint64_t by = 1) { counts_[static_cast<std::size_t>(count)] += by; }
  std::uint64_t of(Count count) const { return counts_[static_cast<std::size_t>(count)]; }
  void add(const Tally& other) {
    for (std::size_t i = 0; i < kCounts; ++i) counts_[i] += other.counts_[i];
  }

 private:
  std::array<std::uint64_t, kCounts> counts_{};
};

}  // namespace offhook::sim
