// Offers, answers and candidates of a call: numbered by generation, in the order that the rule of causality
// asks.

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::ErrorCode;

namespace {

constexpr Refusal kStale = {ErrorCode::stale_generation, "the call is at another generation"};
constexpr Refusal kTooMany = {ErrorCode::too_many_candidates,
                              "the generation has as many candidates as it may"};

Refusal wrong_state(std::string_view why) { return {ErrorCode::wrong_state, why}; }

// A party that has had offers refused never uses their numbers again, so that a late refusal is not taken for
// that of another offer: there may be a gap.
bool is_next(const Call& call, std::uint32_t generation) {
  // Far above what a call ever uses, far below the highest number that is read.
  static constexpr std::uint32_t kMaxGap = 1'000;
  if (!call.negotiation) return generation == 0;
  const std::uint32_t newest = call.negotiation->generation;
  return generation > newest && generation - newest <= kMaxGap;
}

// Made before its party has heard the other side's offer, which is still to be answered: it is of a state
// that is gone, and its number may well fit, as the party has counted an offer that was refused. A fresh one
// means a new connection whatever was before it, so of two of those the later one stands.
bool crosses_another(const Call& call, const signal::Offer& message, bool by_caller) {
  if (!call.negotiation || call.negotiation->answered || call.negotiation->by_caller == by_caller)
    return false;
  return !message.fresh && !call.warm.awaits_fresh_offer;
}

}  // namespace

Handled Calls::handle(Session& from, const signal::Offer& message, const Step& step) {
  // Nobody hears it, but its number is used.
  if (Claim* claim = claims_.find(from.key, message.call)) {
    auto& generation = claim->snapshot.generation;
    generation = std::max(generation, std::optional(message.generation));
  }
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  const Role role = located->role;
  const bool is_warm_leg = role == Role::leg && located->call->warm.session == from.key;
  const auto next = decide(*located, role == Role::caller   ? Event::caller_offer
                                     : role == Role::winner ? Event::winner_offer
                                     : is_warm_leg          ? Event::warm_leg_offer
                                                            : Event::leg_offer);
  const auto refuse = [&](const Refusal& refusal) -> Handled {
    outflow_of(*located->call, role, from.key).forget_refused(message.generation);
    return fail(refusal);
  };
  if (!next) return refuse(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  Outflow& outflow = outflow_of(call, role, from.key);
  const bool by_caller = role == Role::caller;
  if (!is_next(call, message.generation)) return refuse(kStale);
  if (!call.negotiation && !by_caller) return refuse(wrong_state("the first offer is the caller's"));
  if (message.fresh && is_warm_leg) return refuse(wrong_state("a device that rings starts nothing afresh"));
  if (call.warm.awaits_fresh_offer && !by_caller)
    return refuse(wrong_state("the caller's fresh offer comes first"));
  if (crosses_another(call, message, by_caller)) return refuse(kStale);
  const bool is_accepted = call.winner() != nullptr;
  if (!is_accepted && call.offers_before_accept >= settings_.max_offers_before_accept)
    return refuse(wrong_state("the call has had as many offers as it may before it is accepted"));
  GuardedDescription guarded;
  if (is_guarded(call, role, from.key)) guarded = guarded_description(message.sdp, settings_.is_own_relay);
  if (!outflow.has_room(message.generation, guarded.withheld, settings_.max_candidates))
    return refuse(kTooMany);

  if (!is_accepted) call.offers_before_accept += 1;
  call.negotiation = Negotiation{message.generation, by_caller, false};
  forget_held_before(call, message.generation);
  call.timeline.add(step.now, std::string(message.fresh ? "fresh offer" : "offer") +
                                  (by_caller ? " of the caller" : " of the callee") + ", generation " +
                                  std::to_string(message.generation));
  if (by_caller && message.fresh) begin_afresh(call);
  // It was on its way when a device won for which it means nothing. The fresh one follows.
  if (call.warm.awaits_fresh_offer) return {};
  if (by_caller && !is_accepted)
    call.newest_offer = KeptOffer{message.generation, message.sdp, guarded.sdp, message.fresh};
  relay_description(call, role, {true, message.generation, message.sdp, guarded.sdp, message.fresh},
                    std::move(guarded.withheld), outflow, step);
  return {};
}

Handled Calls::handle(Session& from, const signal::Answer& message, const Step& step) {
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  const Role role = located->role;
  const bool is_cold = role == Role::leg && find_leg(*located->call, from.key)->warm_path == WarmPath::off;
  const auto next = decide(*located, role == Role::caller   ? Event::caller_answer
                                     : role == Role::winner ? Event::winner_answer
                                     : is_cold              ? Event::cold_leg_answer
                                                            : Event::leg_answer);
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  // The caller has the answer of another device; this one starts afresh if it wins.
  if (role == Role::leg && call.warm.answer_passed && call.warm.session != from.key) return {};
  if (!call.negotiation) return fail(kStale);
  // It answers what has been given up by both.
  if (call.warm.awaits_fresh_offer && message.generation <= call.negotiation->generation) return {};
  if (call.negotiation->generation != message.generation) return fail(kStale);
  if (call.negotiation->by_caller == (role == Role::caller))
    return fail(wrong_state("an offer is answered by the other side"));
  if (call.negotiation->answered) return fail(wrong_state("the offer has been answered"));
  GuardedDescription guarded;
  if (is_guarded(call, role, from.key)) guarded = guarded_description(message.sdp, settings_.is_own_relay);
  Outflow& outflow = outflow_of(call, role, from.key);
  if (!outflow.has_room(message.generation, guarded.withheld, settings_.max_candidates))
    return fail(kTooMany);

  call.negotiation->answered = true;
  if (role == Role::leg) call.warm = WarmLeg{true, from.key, false, call.warm.caller_connected};
  call.timeline.add(step.now, (role == Role::caller ? "answer of the caller, generation "
                               : role == Role::leg  ? "answer of a ringing device, generation "
                                                    : "answer of the callee, generation ") +
                                  std::to_string(message.generation));
  relay_description(call, role, {false, message.generation, message.sdp, guarded.sdp, false},
                    std::move(guarded.withheld), outflow, step);
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
  Outflow& outflow = outflow_of(call, role, from.key);
  if (message.generation > due) return outflow.was_refused(message.generation) ? Handled{} : fail(kStale);
  // Of a peer connection that has been given up.
  if (call.warm.awaits_fresh_offer && message.generation < due) return {};
  // Of an offer that has been replaced, and that this party has never described: it never will.
  if (message.generation + 1 < due && outflow.newest() != message.generation) return {};
  Kept kept{message.candidate, false, {}};
  if (is_guarded(call, role, from.key))
    kept.guarded = guarded_candidate(message.candidate, settings_.is_own_relay);
  switch (outflow.take(message.generation, kept, settings_.max_candidates)) {
    case Outflow::Ruling::pass:
      relay(
          call, role,
          [&](Passage passage) {
            Parcel parcel;
            add_candidate(parcel, call, role, passage, message.generation, kept);
            return parcel;
          },
          step);
      return {};
    case Outflow::Ruling::hold:
    case Outflow::Ruling::drop:
      return {};
    case Outflow::Ruling::full:
      return fail(kTooMany);
  }
  return {};
}

// Nobody's answer counts any more, nor what belonged to it.
void Calls::begin_afresh(Call& call) {
  call.warm = WarmLeg{};
  if (std::vector<Leg>* legs = call.legs()) {
    for (Leg& leg : *legs) leg.outflow = Outflow();
  }
}

// What is held for an offer before this one can follow no description any more.
void Calls::forget_held_before(Call& call, std::uint32_t generation) {
  call.caller_outflow.forget_held_before(generation);
  if (Leg* winner = call.winner()) winner->outflow.forget_held_before(generation);
  if (std::vector<Leg>* legs = call.legs()) {
    for (Leg& leg : *legs) leg.outflow.forget_held_before(generation);
  }
}

bool Calls::is_guarded(Call& call, Role role, SessionKey session) {
  switch (role) {
    case Role::caller:
      return call.winner() == nullptr;  // each leg has a warm path of its own
    case Role::leg:
      return passage(find_leg(call, session)->warm_path, false) == Passage::guarded;
    case Role::winner:
      return false;
  }
  return true;
}

Leg* Calls::find_leg(Call& call, SessionKey session) {
  if (std::vector<Leg>* legs = call.legs()) {
    for (Leg& leg : *legs) {
      if (leg.session == session) return &leg;
    }
  }
  return nullptr;
}

Outflow& Calls::outflow_of(Call& call, Role role, SessionKey session) {
  if (role == Role::caller) return call.caller_outflow;
  if (Leg* winner = call.winner()) return winner->outflow;
  Leg* leg = find_leg(call, session);
  assert(leg != nullptr);
  return leg->outflow;
}

const std::string& Calls::user_of(const Call& call, Role role) {
  return role == Role::caller ? call.caller_user : call.callee_user;
}

}  // namespace offhook::call
