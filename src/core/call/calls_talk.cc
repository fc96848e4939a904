// A call that two people talk in: what each sends now, and that one of them goes on with it on another
// device.

#include <algorithm>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::EndReason;
using signal::ErrorCode;

namespace {

// More answered calls at a time are not one person's.
constexpr std::size_t kMaxElsewhere = 8;

}  // namespace

Handled Calls::handle(Session& from, const signal::State& message, const Step& step) {
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  const Role role = located->role;
  const auto next = decide(*located, role == Role::caller ? Event::caller_state
                                     : role == Role::leg  ? Event::leg_state
                                                          : Event::winner_state);
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  signal::MediaState& known = role == Role::caller ? call.caller_state : call.callee_state;
  known = message.state;
  const Leg* winner = call.winner();
  if (winner == nullptr) return {};  // told at accept
  sessions_.send(role == Role::caller ? winner->session : call.caller_session,
                 signal::state(call.id, from.user, known), std::nullopt, step);
  return {};
}

Event Calls::event_of_take(Call& call, SessionKey session) {
  if (call.caller_session == session) return Event::caller_take;
  const Leg* winner = call.winner();
  if (winner != nullptr && winner->session == session) return Event::winner_take;
  return find_leg(call, session) != nullptr ? Event::leg_take : Event::device_take;
}

Handled Calls::handle(Session& from, const signal::Take& message, const Step& step) {
  Call* found = find(message.call);
  const bool as_caller = found != nullptr && found->caller_user == from.user;
  if (found != nullptr && !as_caller && found->callee_user != from.user)
    return fail(Refusal{ErrorCode::not_in_call, "this user has no part in the call"});
  const auto next = decide({found, as_caller ? Role::caller : Role::winner},
                           found == nullptr ? Event::device_take : event_of_take(*found, from.key));
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *found;
  if (call.room)
    return fail(Refusal{ErrorCode::wrong_state, "join the room on this device; its calls follow"});
  if (call.warm.awaits_fresh_offer)
    return fail(Refusal{ErrorCode::wrong_state, "the call is on its way to a device; try again in a moment"});
  const bool is_full = as_caller ? from.dialled.size() >= settings_.max_dialled_calls_per_session
                                 : from.incoming.size() >= settings_.max_incoming_calls_per_session;
  if (is_full) return fail(Refusal{ErrorCode::too_many_calls, "end another call first"});

  hand_over(call, from, as_caller, step);
  introduce_seen(call, step);
  (as_caller ? call.caller_state : call.callee_state) = {message.media};
  std::optional<std::uint32_t> generation;
  if (call.negotiation) generation = call.negotiation->generation;
  sessions_.send(from.key, signal::taken(takeable(call, as_caller), generation), std::nullopt, step);
  // In either case it is the caller's side that begins the new connection, by a fresh offer.
  if (as_caller) {
    sessions_.send(call.winner()->session, signal::state(call.id, from.user, call.caller_state), std::nullopt,
                   step);
  } else {
    sessions_.send(call.caller_session, signal::accepted(call.id, message.media, true), std::nullopt, step);
  }
  return {};
}

void Calls::hand_over(Call& call, Session& to, bool as_caller, const Step& step) {
  Leg& winner = *call.winner();
  const SessionKey before = as_caller ? call.caller_session : winner.session;
  end_for(call, before, EndReason::answered_elsewhere, as_caller ? Side::caller : Side::callee,
          Cause::other_end, step);
  // To this device the call may have been over.
  std::erase(to.recently_ended, call.id);
  if (as_caller) {
    call.caller_session = to.key;
    call.caller_warm_path = to.warm_path;
    call.caller_outflow = Outflow();
    // What the callee has described went to the device before.
    winner.outflow = Outflow();
    to.dialled.push_back(call.key);
  } else {
    winner = Leg{to.key, std::max(call.caller_warm_path, to.warm_path), true, {}};
    to.incoming.push_back(call.key);
  }
  call.warm.awaits_fresh_offer = true;
  call.timeline.add(step.now, as_caller ? "taken by another device of the caller"
                                        : "taken by another device of the callee");
  sessions_.push_credentials(to.key, step);
  sessions_.push_credentials(as_caller ? winner.session : call.caller_session, step);
}

signal::TakeableCall Calls::takeable(const Call& call, bool as_caller) {
  return {call.id, as_caller ? call.callee_user : call.caller_user, as_caller,
          as_caller ? call.callee_state : call.caller_state};
}

void Calls::tell_elsewhere(const Session& to, const Step& step) {
  std::vector<signal::TakeableCall> calls;
  for (const SessionKey device : sessions_.of_user(to.user)) {
    if (device == to.key) continue;
    const Session& other = *sessions_.find(device);
    for (const bool as_caller : {true, false}) {
      for (const CallKey key : as_caller ? other.dialled : other.incoming) {
        Call& call = *calls_.find(key.slot);
        if (call.winner() != nullptr && !call.room && calls.size() < kMaxElsewhere)
          calls.push_back(takeable(call, as_caller));
      }
    }
  }
  sessions_.send(to.key, signal::elsewhere(calls), std::nullopt, step);
}

}  // namespace offhook::call
