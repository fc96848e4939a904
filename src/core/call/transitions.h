#pragma once
// The states of a call and what each event does in each of them: one table (transitions.cc), and no other
// place decides it.
//
// States:
//   dialing    The caller waits, and no device of the callee has reported that it rings (or none is left that
//   did). ringing    At least one device has reported that it rings; the first that accepts wins. accepted
//   One device has won, descriptions go both ways, and not both ends have reported decoded media. connected
//   Both ends have reported decoded media. ended      The call is over: its parties remember its id and
//   nothing else does.
//
// Roles: `caller` is the session that dialled; a `leg` is a session of the callee in a call that nobody has
// accepted, and the warm leg the one whose answer the caller has; the `winner` is the leg whose accept came
// first. Other legs leave the call at that moment, so for them it is ended.

#include <cstdint>
#include <string_view>

#include "wire/signal/types.h"

namespace offhook::call {

enum class State : std::uint8_t { dialing, ringing, accepted, connected, ended };
inline constexpr std::size_t kStates = 5;

enum class Event : std::uint8_t {
  // from the caller
  caller_dial,  // the same call id again
  caller_ringing,
  caller_accept,
  caller_reject,
  caller_hangup,
  caller_offer,
  caller_answer,
  caller_candidate,
  caller_connected_warm,  // to the warm leg, before its accept has come here; the first of a call
  caller_state,           // what it sends now
  caller_take,            // it has the call already
  // from a leg
  leg_dial,  // a dial that names the call of somebody else
  leg_ringing,
  leg_accept,
  leg_accept_fresh,  // the caller has the answer of another device
  leg_decline,       // the user does not want the call: reject(declined), or hangup(hangup) while it rings
  leg_leave,         // this device cannot take it (busy, media_denied, ...), and other legs are left
  leg_leave_last,    // the same, and no other leg is left
  leg_offer,
  warm_leg_offer,  // of the device whose answer the caller has
  leg_answer,
  cold_leg_answer,  // where the warm path is off
  leg_candidate,
  leg_connected,
  leg_state,
  leg_take,
  // from the winner
  winner_dial,
  winner_ringing,
  winner_accept,
  winner_reject,
  winner_hangup,
  winner_offer,
  winner_answer,
  winner_candidate,
  winner_state,
  winner_take,
  // from another device of the caller's or the callee's user
  device_take,
  // from the caller or the winner: decoded media
  connected_first,  // the other end has not reported it
  connected_both,   // the other end has
  connected_again,  // this end has reported it before
  // from the server
  device_attached,  // a session of the callee that was not there when the call was dialled
  waking,           // whether a callee without a session may still come
  ring_timeout,
  unreachable_timeout,  // the callee has had no session for so long
  caller_gone,          // the session is over
  leg_gone,             // other legs are left
  leg_gone_last,
  winner_gone,
  app_end,       // the app's backend ends the call
  user_revoked,  // the backend has taken a party's sign-in away
  user_blocked,  // one of the two users wants no calls with the other
  shutdown,
};
inline constexpr std::size_t kEvents = static_cast<std::size_t>(Event::shutdown) + 1;

enum class Verb : std::uint8_t {
  act,         // carry the event out; the call is in `next` afterwards
  ignore,      // nothing: a duplicate, or a message that crossed the end of the call
  refuse,      // answer with `error`
  impossible,  // the role does not exist in this state: a bug of the server
};

struct Transition {
  Verb verb = Verb::impossible;
  State next = State::ended;                                 // for act
  signal::ErrorCode error = signal::ErrorCode::wrong_state;  // for refuse
  auto operator<=>(const Transition&) const = default;
};

Transition transition(State state, Event event);

// As docs/protocol.md calls them, in Markdown.
std::string_view name(State state);
std::string_view name(Event event);

}  // namespace offhook::call
