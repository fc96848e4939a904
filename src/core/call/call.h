#pragma once
// The record of one call that lives. Its states own what only they need (transitions.h says what they mean).

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/warm_path.h"
#include "core/call/causality.h"
#include "core/call/keys.h"
#include "core/call/timeline.h"
#include "core/call/transitions.h"
#include "wire/signal/types.h"

namespace offhook::call {

enum class Role : std::uint8_t { caller, leg, winner };

// A session of the callee that takes part.
struct Leg {
  SessionKey session;
  WarmPath warm_path = WarmPath::relay;  // of this call on this device
  bool rings = false;                    // it has reported so
  Outflow outflow;                       // held until its answer has passed
  // It has told, after a restart, that it knew of an offer: what the caller talks with may be it.
  bool may_have_path = false;
};

struct Dialing {
  std::vector<Leg> legs;  // in the order in which they attached
};
struct Ringing {
  std::vector<Leg> legs;
};
struct Accepted {
  Leg winner;
  bool caller_connected = false;
  bool winner_connected = false;
};
struct Connected {
  Leg winner;
};

// The newest offer of a call.
struct Negotiation {
  std::uint32_t generation = 0;
  bool by_caller = true;
  bool answered = false;
};

// The caller's newest offer, as it came.
struct KeptOffer {
  std::uint32_t generation = 0;
  std::string sdp;
  std::string guarded_sdp;
  bool fresh = false;
};

// Whose answer the caller has. One device's at most has passed before accept: the warm leg's, and until
// accept the caller's messages go to it alone.
struct WarmLeg {
  bool answer_passed = false;
  std::optional<SessionKey> session;  // nothing if it is gone, or before
  // Another device won, or has taken the call of one of the two: the caller's next fresh offer is the
  // beginning for it, and what belongs to an older one goes nowhere.
  bool awaits_fresh_offer = false;
  bool caller_connected = false;  // the caller has reported media from it
};

struct Call {
  Call(signal::CallId call_id, std::string caller, std::string callee, signal::Media call_media,
       SessionKey session, WarmPath wanted, Instant began)
      : id(std::move(call_id)),
        caller_user(std::move(caller)),
        callee_user(std::move(callee)),
        media(call_media),
        caller_session(session),
        caller_warm_path(wanted),
        timeline(began) {}

  State state() const {
    switch (phase.index()) {
      case 0:
        return State::dialing;
      case 1:
        return State::ringing;
      case 2:
        return State::accepted;
      default:
        return State::connected;
    }
  }
  // The legs of a call that nobody has accepted; nullptr afterwards.
  std::vector<Leg>* legs() {
    if (auto* dialing = std::get_if<Dialing>(&phase)) return &dialing->legs;
    if (auto* ringing = std::get_if<Ringing>(&phase)) return &ringing->legs;
    return nullptr;
  }
  // nullptr before accept.
  Leg* winner() {
    if (auto* accepted = std::get_if<Accepted>(&phase)) return &accepted->winner;
    if (auto* connected = std::get_if<Connected>(&phase)) return &connected->winner;
    return nullptr;
  }

  CallKey key;
  std::uint64_t serial = 0;  // in the order of dials
  signal::CallId id;
  std::string caller_user;
  std::string callee_user;
  signal::Media media;
  std::optional<signal::RoomName> room;  // of a call between two of its members
  // What each end sends, as it said last. The callee's: from its accept on.
  signal::MediaState caller_state{media};
  signal::MediaState callee_state;
  SessionKey caller_session;
  WarmPath caller_warm_path;
  Outflow caller_outflow;
  std::optional<KeptOffer>
      newest_offer;  // for devices that attach later; nothing before it came and after accept
  std::optional<Negotiation> negotiation;
  std::size_t offers_before_accept = 0;
  bool is_restored = false;  // from the time before a restart: its devices may still be on their way
  Instant others_until{};    // of such a call: until then they may
  // Why the last of those that were back then has left it: how it ends if no other comes.
  std::optional<signal::EndReason> left_for;
  bool waits_longer = false;  // for an accept that has reached the caller by another way
  bool being_woken = false;   // a device of the callee may come as long as it rings
  WarmLeg warm;
  // Addresses that each has been told of the other.
  std::vector<Ip> introduced_to_caller;
  std::vector<Ip> introduced_to_callee;
  std::variant<Dialing, Ringing, Accepted, Connected> phase;
  Timeline timeline;
};

}  // namespace offhook::call
