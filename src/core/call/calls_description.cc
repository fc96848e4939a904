// Offers, answers and candidates of a call: numbered by generation, released by the rule of causality.

#include <cassert>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::ErrorCode;

namespace {

constexpr Refusal kStale = {ErrorCode::stale_generation, "the call is at another generation"};

}  // namespace

Handled Calls::handle(Session& from, const signal::Offer& message, const Step& step) {
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  const Role role = located->role;
  const auto next = decide(*located, role == Role::caller ? Event::caller_offer
                                     : role == Role::leg  ? Event::leg_offer
                                                          : Event::winner_offer);
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  Outflow& outflow = outflow_of(call, role, from.key);
  const std::uint32_t due = call.negotiation ? call.negotiation->generation + 1 : 0;
  if (message.generation != due) {
    outflow.forget_held(message.generation);
    return fail(kStale);
  }
  const bool waiting = call.winner() == nullptr;
  if (due == 0 && role != Role::caller)
    return fail(Refusal{ErrorCode::wrong_state, "the first offer is the caller's"});
  if (due > 0 && waiting)
    return fail(Refusal{ErrorCode::wrong_state, "the next offer has to wait for an accept"});

  call.negotiation = Negotiation{message.generation, role, false};
  if (waiting) call.first_offer = message.sdp;
  call.timeline.add(step.now, (role == Role::caller ? "offer of the caller, generation "
                                                    : "offer of the callee, generation ") +
                                  std::to_string(message.generation));
  relay_description(call, role, signal::offer(call.id, user_of(call, role), message.generation, message.sdp),
                    message.generation, message.sdp, outflow, step);
  return {};
}

Handled Calls::handle(Session& from, const signal::Answer& message, const Step& step) {
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  const Role role = located->role;
  const auto next = decide(*located, role == Role::caller ? Event::caller_answer
                                     : role == Role::leg  ? Event::leg_answer
                                                          : Event::winner_answer);
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  if (!call.negotiation || call.negotiation->generation != message.generation) return fail(kStale);
  if (call.negotiation->offerer == role) {
    return fail(Refusal{ErrorCode::wrong_state, "an offer is answered by the other side"});
  }
  if (call.negotiation->answered) return fail(Refusal{ErrorCode::wrong_state, "the offer has been answered"});

  call.negotiation->answered = true;
  call.timeline.add(step.now, (role == Role::caller ? "answer of the caller, generation "
                                                    : "answer of the callee, generation ") +
                                  std::to_string(message.generation));
  relay_description(call, role, signal::answer(call.id, user_of(call, role), message.generation, message.sdp),
                    message.generation, message.sdp, outflow_of(call, role, from.key), step);
  return {};
}

Handled Calls::handle(Session& from, const signal::IceCandidate& message, const Step& step) {
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  const Role role = located->role;
  const auto next = decide(*located, role == Role::caller ? Event::caller_candidate
                                     : role == Role::leg  ? Event::leg_candidate
                                                          : Event::winner_candidate);
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  // A candidate may come before its offer, but only before the next one: what is held is bounded by that.
  const std::uint32_t due = call.negotiation ? call.negotiation->generation + 1 : 0;
  if (message.generation > due) return fail(kStale);
  Outflow& outflow = outflow_of(call, role, from.key);
  switch (outflow.take(message.generation, message.candidate, settings_.max_candidates)) {
    case Outflow::Ruling::pass:
      relay(call, role,
            {signal::ice_candidate(call.id, user_of(call, role), message.generation, message.candidate)},
            step);
      return {};
    case Outflow::Ruling::hold:
    case Outflow::Ruling::drop:
      return {};
    case Outflow::Ruling::full:
      return fail(Refusal{ErrorCode::too_many_candidates, "the generation has as many candidates as it may"});
  }
  return {};
}

void Calls::relay_description(Call& call, Role role, signal::Body description, std::uint32_t generation,
                              std::string_view sdp, Outflow& outflow, const Step& step) {
  std::vector<signal::Body> bodies;
  bodies.push_back(std::move(description));
  for (const signal::Candidate& candidate : outflow.release(generation, sdp)) {
    bodies.push_back(signal::ice_candidate(call.id, user_of(call, role), generation, candidate));
  }
  relay(call, role, bodies, step);
}

void Calls::relay(Call& call, Role role, const std::vector<signal::Body>& bodies, const Step& step) {
  const bool to_legs = role == Role::caller && call.legs() != nullptr;
  if (to_legs && !keep_legs_with_room(call, bodies, step)) return;
  for (const SessionKey session : receivers(call, role)) {
    for (const signal::Body& body : bodies) sessions_.send(session, body, std::nullopt, step);
  }
}

std::vector<SessionKey> Calls::receivers(Call& call, Role role) {
  if (role == Role::winner) return {call.caller_session};
  if (role == Role::leg) return {};
  if (const Leg* winner = call.winner()) return {winner->session};
  std::vector<SessionKey> sessions;
  for (const Leg& leg : *call.legs()) sessions.push_back(leg.session);
  return sessions;
}

Outflow& Calls::outflow_of(Call& call, Role role, SessionKey session) {
  if (role == Role::caller) return call.caller_outflow;
  if (Leg* winner = call.winner()) return winner->outflow;
  for (Leg& leg : *call.legs()) {
    if (leg.session == session) return leg.outflow;
  }
  assert(false);
  return call.caller_outflow;
}

const std::string& Calls::user_of(const Call& call, Role role) {
  return role == Role::caller ? call.caller_user : call.callee_user;
}

}  // namespace offhook::call
