#pragma once
// What is to happen in one simulation: who there is, what they do, what goes wrong. Made from a seed; a
// failing plan is made smaller by leaving things out (shrink.h), and the rest then happens as before.

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "base/warm_path.h"
#include "core/call/settings.h"

namespace offhook::sim {

enum class Deed : std::uint8_t {
  dial,
  // sockets of a device
  cut,      // all are lost, with what is on its way; `choice`: who learns of it
  freeze,   // nothing arrives for a while, then everything does
  stall,    // the device does not read for a while
  offline,  // no way to the server for a while
  // pages
  reload,  // the page is gone without a word, and another comes
  leave,   // the page says bye
  vanish,  // the page is gone without a word
  join,    // a page comes where there is none
  renew,   // the page thinks that the network is another
  // media
  rebind,       // the NAT gives the device another address
  restart_ice,  // in all calls of the device
  fresh_path,   // a fresh offer in all accepted calls of the device
  burst,        // many messages at once
  // the talk
  change,  // what is sent, or that nothing is, in all answered calls of the device
  take,    // an answered call of another device of the same user
  // the app's backend
  end_call,  // some call that lives
  revoke,    // the sign-in of the device's user
  place,     // a call that some device of the user is to make
  // the server
  crash,     // its state is lost
  shutdown,  // it says so first
  pause,     // it does nothing for a while, and its clock goes on
};
inline constexpr std::size_t kDeeds = static_cast<std::size_t>(Deed::pause) + 1;

enum class Reaction : std::uint8_t {
  accept,
  accept_on_all,  // every device, nearly at once
  decline,
  busy,          // one device is taken out, and the next accepts
  media_denied,  // the same
  ignore,        // until it is over
  give_up,       // the caller does, while it rings
  hang_up,       // the caller does, in the moment in which somebody accepts
};

struct Entry {
  Duration at{};
  Deed deed = Deed::dial;
  std::size_t device = 0;
  Duration span{};           // of the fault
  std::uint64_t choice = 0;  // which variant of the deed; each reads it in its own way
  // dial
  std::size_t to = 0;  // the user
  Reaction reaction = Reaction::accept;
  std::size_t answerer = 0;  // which of the user's devices
  Duration wait{};           // until the reaction
  Duration talk{};
  bool caller_hangs_up = true;
};

struct PlannedDevice {
  std::size_t user = 0;
  WarmPath warm_path = WarmPath::relay;
  bool is_there = true;              // from the beginning
  bool asks_for_permissions = true;  // or trusts to introductions alone
  bool is_clumsy = false;            // counts no hellos, and sends again what has been acknowledged
  Duration delay{};                  // one way
  Duration jitter{};
};

struct Plan {
  std::uint64_t seed = 0;
  std::size_t users = 2;
  std::vector<PlannedDevice> devices;
  std::vector<Entry> entries;  // in order
  Duration length{};           // of the time in which they begin
  WarmPath warm_path = WarmPath::relay;
  bool peers_by_call = false;
  bool is_tight = false;                  // small queues: sessions may be lost by bursts
  bool tells_snapshots = false;           // clients do, so that calls outlive the server
  bool has_journal = false;               // the server
  bool wakes = false;                     // somebody tries to wake devices of those who have none
  std::uint64_t slow_socket_percent = 0;  // those that stand still for seconds soon after they open
  std::uint64_t datagram_loss_percent = 0;
  std::uint64_t datagram_twice_percent = 0;
};

// Whether nothing goes wrong in it. Calls may go from one device to another.
bool is_calm(const Plan& plan);
// Whether nothing goes wrong in it but crashes from which the server is back soon, and calls outlive them.
bool only_crashes(const Plan& plan);
Plan make_plan(std::uint64_t seed);
call::Settings call_settings(const Plan& plan);

std::string name(Deed deed);
std::string user_name(std::size_t user);
// One line each, for people.
std::string described(const Plan& plan);
std::string described(const Entry& entry, const Plan& plan);

inline std::int64_t whole_ms(Duration span) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

}  // namespace offhook::sim
