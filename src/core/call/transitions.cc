#include "core/call/transitions.h"

#include <array>

namespace offhook::call {
namespace {

struct Row {
  Event event;
  std::array<Transition, kStates> by_state;
};

constexpr Transition to(State next) { return {Verb::act, next, {}}; }
constexpr Transition refuse(signal::ErrorCode error) { return {Verb::refuse, {}, error}; }

constexpr Transition kDialing = to(State::dialing);
constexpr Transition kRinging = to(State::ringing);
constexpr Transition kAccepted = to(State::accepted);
constexpr Transition kConnect = to(State::connected);
constexpr Transition kEnd = to(State::ended);
constexpr Transition kIgnore = {Verb::ignore, {}, {}};
constexpr Transition kWrong = refuse(signal::ErrorCode::wrong_state);
constexpr Transition kUsedId = refuse(signal::ErrorCode::bad_call_id);
constexpr Transition kGone = refuse(signal::ErrorCode::unknown_call);
constexpr Transition kNever = {Verb::impossible, {}, {}};

// clang-format off
constexpr std::array<Row, kEvents> kTable = {{
    //                             dialing    ringing    accepted   connected  ended
    {Event::caller_dial,         {{kIgnore,   kIgnore,   kIgnore,   kIgnore,   kUsedId}}},
    {Event::caller_ringing,      {{kWrong,    kWrong,    kWrong,    kWrong,    kIgnore}}},
    {Event::caller_accept,       {{kWrong,    kWrong,    kWrong,    kWrong,    kIgnore}}},
    {Event::caller_reject,       {{kWrong,    kWrong,    kWrong,    kWrong,    kIgnore}}},
    {Event::caller_hangup,       {{kEnd,      kEnd,      kEnd,      kEnd,      kIgnore}}},
    {Event::caller_offer,        {{kDialing,  kRinging,  kAccepted, kConnect,  kIgnore}}},
    {Event::caller_answer,       {{kDialing,  kRinging,  kAccepted, kConnect,  kIgnore}}},
    {Event::caller_candidate,    {{kDialing,  kRinging,  kAccepted, kConnect,  kIgnore}}},
    {Event::caller_connected_warm, {{kDialing, kRinging, kNever,   kNever,    kIgnore}}},
    {Event::caller_state,        {{kDialing,  kRinging,  kAccepted, kConnect,  kIgnore}}},
    {Event::caller_take,         {{kIgnore,   kIgnore,   kIgnore,   kIgnore,   kGone}}},

    {Event::leg_dial,            {{kUsedId,   kUsedId,   kNever,    kNever,    kUsedId}}},
    {Event::leg_ringing,         {{kRinging,  kRinging,  kNever,    kNever,    kIgnore}}},
    {Event::leg_accept,          {{kAccepted, kAccepted, kNever,    kNever,    kIgnore}}},
    {Event::leg_accept_fresh,    {{kAccepted, kAccepted, kNever,    kNever,    kIgnore}}},
    {Event::leg_decline,         {{kEnd,      kEnd,      kNever,    kNever,    kIgnore}}},
    {Event::leg_leave,           {{kDialing,  kRinging,  kNever,    kNever,    kIgnore}}},
    {Event::leg_leave_last,      {{kEnd,      kEnd,      kNever,    kNever,    kIgnore}}},
    {Event::leg_offer,           {{kWrong,    kWrong,    kNever,    kNever,    kIgnore}}},
    {Event::warm_leg_offer,      {{kDialing,  kRinging,  kNever,    kNever,    kIgnore}}},
    {Event::leg_answer,          {{kDialing,  kRinging,  kNever,    kNever,    kIgnore}}},
    {Event::cold_leg_answer,     {{kWrong,    kWrong,    kNever,    kNever,    kIgnore}}},
    {Event::leg_candidate,       {{kDialing,  kRinging,  kNever,    kNever,    kIgnore}}},
    {Event::leg_connected,       {{kWrong,    kWrong,    kNever,    kNever,    kIgnore}}},
    {Event::leg_state,           {{kWrong,    kWrong,    kNever,    kNever,    kIgnore}}},
    {Event::leg_take,            {{kWrong,    kWrong,    kNever,    kNever,    kGone}}},

    {Event::winner_dial,         {{kNever,    kNever,    kUsedId,   kUsedId,   kUsedId}}},
    {Event::winner_ringing,      {{kNever,    kNever,    kIgnore,   kIgnore,   kIgnore}}},
    {Event::winner_accept,       {{kNever,    kNever,    kIgnore,   kIgnore,   kIgnore}}},
    {Event::winner_reject,       {{kNever,    kNever,    kWrong,    kWrong,    kIgnore}}},
    {Event::winner_hangup,       {{kNever,    kNever,    kEnd,      kEnd,      kIgnore}}},
    {Event::winner_offer,        {{kNever,    kNever,    kAccepted, kConnect,  kIgnore}}},
    {Event::winner_answer,       {{kNever,    kNever,    kAccepted, kConnect,  kIgnore}}},
    {Event::winner_candidate,    {{kNever,    kNever,    kAccepted, kConnect,  kIgnore}}},
    {Event::winner_state,        {{kNever,    kNever,    kAccepted, kConnect,  kIgnore}}},
    {Event::winner_take,         {{kNever,    kNever,    kIgnore,   kIgnore,   kGone}}},

    {Event::device_take,         {{kWrong,    kWrong,    kAccepted, kConnect,  kGone}}},

    {Event::connected_first,     {{kWrong,    kWrong,    kAccepted, kNever,    kIgnore}}},
    {Event::connected_both,      {{kNever,    kNever,    kConnect,  kNever,    kIgnore}}},
    {Event::connected_again,     {{kNever,    kNever,    kIgnore,   kIgnore,   kIgnore}}},

    {Event::device_attached,     {{kDialing,  kRinging,  kIgnore,   kIgnore,   kIgnore}}},
    {Event::waking,              {{kDialing,  kRinging,  kIgnore,   kIgnore,   kIgnore}}},
    {Event::ring_timeout,        {{kEnd,      kEnd,      kNever,    kNever,    kNever}}},
    {Event::unreachable_timeout, {{kEnd,      kNever,    kNever,    kNever,    kNever}}},
    {Event::caller_gone,         {{kEnd,      kEnd,      kEnd,      kEnd,      kIgnore}}},
    {Event::leg_gone,            {{kDialing,  kRinging,  kNever,    kNever,    kIgnore}}},
    {Event::leg_gone_last,       {{kDialing,  kDialing,  kNever,    kNever,    kIgnore}}},
    {Event::winner_gone,         {{kNever,    kNever,    kEnd,      kEnd,      kIgnore}}},
    {Event::app_end,             {{kEnd,      kEnd,      kEnd,      kEnd,      kNever}}},
    {Event::user_revoked,        {{kEnd,      kEnd,      kEnd,      kEnd,      kNever}}},
    {Event::user_blocked,        {{kEnd,      kEnd,      kIgnore,   kIgnore,   kNever}}},
    {Event::shutdown,            {{kEnd,      kEnd,      kEnd,      kEnd,      kIgnore}}},
}};
// clang-format on

struct Named {
  Event event;
  std::string_view name;
};

constexpr std::array<Named, kEvents> kNames = {{
    {Event::caller_dial, "caller: `dial`, the same id"},
    {Event::caller_ringing, "caller: `ringing`"},
    {Event::caller_accept, "caller: `accept`"},
    {Event::caller_reject, "caller: `reject`"},
    {Event::caller_hangup, "caller: `hangup`"},
    {Event::caller_offer, "caller: `offer`"},
    {Event::caller_answer, "caller: `answer`"},
    {Event::caller_candidate, "caller: `ice-candidate`"},
    {Event::caller_connected_warm, "caller: `connected`, from the warm device, once"},
    {Event::caller_state, "caller: `state`"},
    {Event::caller_take, "caller: `take`"},
    {Event::leg_dial, "leg: `dial`, the same id"},
    {Event::leg_ringing, "leg: `ringing`"},
    {Event::leg_accept, "leg: `accept`"},
    {Event::leg_accept_fresh, "leg: `accept`, and the caller has the answer of another"},
    {Event::leg_decline, "leg: `reject` with `declined`, `hangup`"},
    {Event::leg_leave, "leg: `reject` for this device, others are left"},
    {Event::leg_leave_last, "leg: `reject` for this device, the last one"},
    {Event::leg_offer, "leg: `offer`"},
    {Event::warm_leg_offer, "warm leg: `offer`"},
    {Event::leg_answer, "leg: `answer`"},
    {Event::cold_leg_answer, "leg, its warm path off: `answer`"},
    {Event::leg_candidate, "leg: `ice-candidate`"},
    {Event::leg_connected, "leg: `connected`"},
    {Event::leg_state, "leg: `state`"},
    {Event::leg_take, "leg: `take`"},
    {Event::winner_dial, "winner: `dial`, the same id"},
    {Event::winner_ringing, "winner: `ringing`"},
    {Event::winner_accept, "winner: `accept`"},
    {Event::winner_reject, "winner: `reject`"},
    {Event::winner_hangup, "winner: `hangup`"},
    {Event::winner_offer, "winner: `offer`"},
    {Event::winner_answer, "winner: `answer`"},
    {Event::winner_candidate, "winner: `ice-candidate`"},
    {Event::winner_state, "winner: `state`"},
    {Event::winner_take, "winner: `take`"},
    {Event::device_take, "another device of either user: `take`"},
    {Event::connected_first, "caller or winner: `connected`, the first"},
    {Event::connected_both, "caller or winner: `connected`, the other has said it"},
    {Event::connected_again, "caller or winner: `connected`, once more"},
    {Event::device_attached, "a device of the callee signs in"},
    {Event::waking, "the callee is being woken, or cannot be"},
    {Event::ring_timeout, "`ring_timeout_ms` is over"},
    {Event::unreachable_timeout, "no device for 5 s"},
    {Event::caller_gone, "the caller's session is over"},
    {Event::leg_gone, "a leg's session is over, others are left"},
    {Event::leg_gone_last, "the last leg's session is over"},
    {Event::winner_gone, "the winner's session is over"},
    {Event::app_end, "the app ends the call"},
    {Event::user_revoked, "the app revokes a party"},
    {Event::user_blocked, "one of the two blocks the other"},
    {Event::shutdown, "the server stops"},
}};

constexpr bool rows_stand_at_their_event() {
  for (std::size_t i = 0; i < kEvents; ++i) {
    if (static_cast<std::size_t>(kTable[i].event) != i) return false;
    if (static_cast<std::size_t>(kNames[i].event) != i) return false;
  }
  return true;
}
static_assert(rows_stand_at_their_event());

}  // namespace

Transition transition(State state, Event event) {
  return kTable[static_cast<std::size_t>(event)].by_state[static_cast<std::size_t>(state)];
}

std::string_view name(State state) {
  switch (state) {
    case State::dialing:
      return "dialing";
    case State::ringing:
      return "ringing";
    case State::accepted:
      return "accepted";
    case State::connected:
      return "connected";
    case State::ended:
      return "ended";
  }
  return {};
}

std::string_view name(Event event) { return kNames[static_cast<std::size_t>(event)].name; }

}  // namespace offhook::call
