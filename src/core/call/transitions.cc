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
    {Event::shutdown,            {{kEnd,      kEnd,      kEnd,      kEnd,      kIgnore}}},
}};
// clang-format on

constexpr bool rows_stand_at_their_event() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].event) != i) return false;
  }
  return true;
}
static_assert(rows_stand_at_their_event());

}  // namespace

Transition transition(State state, Event event) {
  return kTable[static_cast<std::size_t>(event)].by_state[static_cast<std::size_t>(state)];
}

}  // namespace offhook::call
