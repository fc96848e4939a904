// How calls end, and how they lose a party.

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::EndReason;

namespace {

// Longer than what crosses on a slow network when a session ends its calls one after the other.
constexpr std::size_t kMaxRecentlyEnded = 32;

// The newest description that went out, an offer that was not answered, and the next one.
constexpr std::size_t kMaxGenerationsKept = 3;

}  // namespace

void Calls::remember_end(Session& session, const signal::CallId& id) {
  if (const Claim* claim = claims_.find(session.key, id)) (void)claims_.take(claim->key);
  session.recently_ended.push_back(id);
  if (session.recently_ended.size() > kMaxRecentlyEnded) session.recently_ended.pop_front();
}

void Calls::end_for(Call& call, SessionKey key, EndReason reason, Side side, Cause cause, const Step& step) {
  Session* session = sessions_.find(key);
  assert(session != nullptr);
  std::erase(session->dialled, call.key);
  std::erase(session->incoming, call.key);
  remember_end(*session, call.id);
  const Verdict told = verdict(reason, side, cause);
  signal::Body ended = signal::ended(call.id, reason, told.sentence, told.retryable);
  const Leg* winner = call.winner();
  const bool only_rang = side == Side::callee && (winner == nullptr || winner->session != key);
  if (only_rang) {
    sessions_.send_end_of_ring(key, std::move(ended), step);
  } else {
    sessions_.send(key, std::move(ended), std::nullopt, step);
  }
}

Cause Calls::cause_for(const Ending& ending, SessionKey session, Side side) {
  if (ending.by_app) return Cause::app;
  const bool own = ending.by_side ? *ending.by_side == side : ending.by == session;
  return own ? Cause::this_end : Cause::other_end;
}

EndTold Calls::told_to_callee(const Ending& ending, const std::vector<SessionKey>& callees) {
  const auto by =
      std::find_if(callees.begin(), callees.end(), [&](SessionKey session) { return ending.by == session; });
  const EndReason reason = by == callees.end() ? ending.callees : ending.by_reason;
  const Cause cause = cause_for(ending, by == callees.end() ? SessionKey{} : *by, Side::callee);
  return {reason, verdict(reason, Side::callee, cause)};
}

// Either end may read it, so it says of a block what the callee was told.
std::string Calls::end_text(const Ending& ending) {
  const bool is_blocked = ending.caller == EndReason::blocked;
  const std::string text = "ended: " + std::string(signal::name(is_blocked ? ending.callees : ending.caller));
  if (ending.by_app) return text + ", by the app";
  return ending.by_side && !is_blocked ? text + ", sign-in revoked" : text;
}

void Calls::keep_record(const Call& call, const Ending& ending, const std::vector<SessionKey>& callees,
                        const CallEnded& ended) {
  CallRecord record{call.serial, call.id, call.caller_user, call.callee_user, call.media, State::ended};
  record.accepted = ended.accepted;
  record.connected = ended.connected;
  record.dialled_at = call.timeline.began();
  record.lasted = ended.lasted;
  const Cause cause = cause_for(ending, call.caller_session, Side::caller);
  record.to_caller = EndTold{ending.caller, verdict(ending.caller, Side::caller, cause)};
  record.to_callee = told_to_callee(ending, callees);
  record.timeline = ended.timeline;
  record.room = call.room;
  records_.add(std::move(record));
}

void Calls::end_call(Call& call, const Ending& ending, const Step& step) {
  const State state = call.state();
  stop_waiting(call, step);
  end_for(call, call.caller_session, ending.caller, Side::caller,
          cause_for(ending, call.caller_session, Side::caller), step);
  std::vector<SessionKey> callees;
  if (const Leg* winner = call.winner()) {
    callees.push_back(winner->session);
  } else {
    for (const Leg& leg : *call.legs()) callees.push_back(leg.session);
  }
  for (const SessionKey session : callees) {
    const EndReason reason = ending.by == session ? ending.by_reason : ending.callees;
    end_for(call, session, reason, Side::callee, cause_for(ending, session, Side::callee), step);
  }

  CallEnded record{call.id, call.caller_user, call.callee_user, ending.caller, false, false, {}, {}};
  record.accepted = state == State::accepted || state == State::connected;
  record.connected = state == State::connected;
  record.lasted = step.now - call.timeline.began();
  record.timeline = call.timeline.finish(step.now, end_text(ending));
  record.room = call.room;
  keep_record(call, ending, callees, record);
  step.outbox.push_back(std::move(record));
  key_by_serial_.erase(call.serial);
  key_by_id_.erase(call.id);
  calls_.erase(call.key.slot);
}

void Calls::handle_gone(Session& session, const Step& step) {
  session.closing = true;
  lose_claims(session, step);
  leave_rooms(session, EndReason::signaling_lost, step);
  std::erase_if(stand_ins_, [&session](const auto& entry) { return entry.second == session.key; });
  const std::vector<CallKey> dialled = session.dialled;
  for (const CallKey key : dialled) {
    Call& call = *calls_.find(key.slot);
    const auto next = decide({&call, Role::caller}, Event::caller_gone);
    assert(next && *next == State::ended);
    (void)next;
    const EndReason reason = call.winner() == nullptr ? EndReason::canceled : EndReason::signaling_lost;
    end_call(call, {reason, reason, session.key, reason}, step);
  }
  const std::vector<CallKey> incoming = session.incoming;
  for (const CallKey key : incoming) {
    Call& call = *calls_.find(key.slot);
    if (call.winner() == nullptr) {
      lose_leg(call, session.key, step);
      continue;
    }
    const auto next = decide({&call, Role::winner}, Event::winner_gone);
    assert(next && *next == State::ended);
    (void)next;
    end_call(call,
             {EndReason::signaling_lost, EndReason::signaling_lost, session.key, EndReason::signaling_lost},
             step);
  }
}

void Calls::lose_leg(Call& call, SessionKey session, const Step& step) {
  const bool is_last = call.legs()->size() == 1;
  const auto next = decide({&call, Role::leg}, is_last ? Event::leg_gone_last : Event::leg_gone);
  assert(next && *next);
  take_out_leg(call, session);
  std::erase(sessions_.find(session)->incoming, call.key);
  call.timeline.add(step.now,
                    is_last ? "the last device of the callee went offline" : "a device went offline");
  enter(call, **next);
  // The caller waits as for a user who was never online: a page that reloads is back in a moment.
  if (is_last) await_device(call, step);
}

void Calls::await_others(Call& call, Session& from, EndReason reason, const Step& step) {
  lose_leg(call, from.key, step);
  call.timeline.add(step.now, "it left: " + std::string(signal::name(reason)) + "; others may come");
  call.left_for = reason;
  if (!call.being_woken) deadlines_.set({Timer::unreachable, call.key.slot}, call.others_until);
  end_for(call, from.key, reason, Side::callee, Cause::this_end, step);
}

void Calls::take_out_leg(Call& call, SessionKey session) {
  std::erase_if(*call.legs(), [session](const Leg& leg) { return leg.session == session; });
  if (call.warm.session == session) call.warm.session.reset();
}

void Calls::handle_ring_timeout(CallKey key, const Step& step) {
  Call& call = *calls_.find(key.slot);
  const auto next = decide({&call, Role::caller}, Event::ring_timeout);
  assert(next && *next == State::ended);
  (void)next;
  // Who was to be woken and did not come has not heard it ring; who is not back after a restart has.
  const bool has_rung = !call.legs()->empty() || call.is_restored;
  const EndReason reason = has_rung ? EndReason::no_answer : EndReason::unreachable;
  end_call(call, {reason, reason, std::nullopt, reason}, step);
}

void Calls::handle_unreachable_timeout(CallKey key, const Step& step) {
  Call& call = *calls_.find(key.slot);
  const auto next = decide({&call, Role::caller}, Event::unreachable_timeout);
  assert(next && *next == State::ended);
  (void)next;
  const EndReason reason = call.left_for.value_or(EndReason::unreachable);
  end_call(call, {reason, reason, std::nullopt, reason}, step);
}

void Calls::shutdown(const Step& step) {
  const EndReason reason = EndReason::server_shutdown;
  calls_.for_each([&](SlabId, Call& call) {
    const auto next = decide({&call, Role::caller}, Event::shutdown);
    assert(next && *next == State::ended);
    (void)next;
    end_call(call, {reason, reason, std::nullopt, reason}, step);
  });
  rooms_.clear();
  // Those who wait for their other side tell the next process.
  claims_.clear();
  stand_ins_.clear();
}

std::optional<std::string> Calls::broken_call(Call& call) {
  const auto lists = [this, &call](SessionKey key, bool as_caller) {
    const Session* session = sessions_.find(key);
    if (session == nullptr) return false;
    const std::vector<CallKey>& calls = as_caller ? session->dialled : session->incoming;
    return std::count(calls.begin(), calls.end(), call.key) == 1;
  };
  if (!lists(call.caller_session, true)) return "is not in its caller's list";
  const Call* by_id = find(call.id);
  if (by_id != &call) return "is not found by its id";
  const auto waiting = waiting_by_callee_.find(call.callee_user);
  const bool waits = waiting != waiting_by_callee_.end() &&
                     std::count(waiting->second.begin(), waiting->second.end(), call.key) == 1;
  if (call.caller_outflow.stored() > kMaxGenerationsKept * settings_.max_candidates)
    return "holds too many candidates of its caller";
  if (call.room && !rooms_.has(*call.room, call.caller_session))
    return "is in a room that its caller has left";
  if (call.timeline.size() > Timeline::kMaxEntries) return "has too long a timeline";
  if (const Leg* winner = call.winner()) {
    if (call.room && !rooms_.has(*call.room, winner->session)) return "is in a room that its callee has left";
    if (waits) return "waits though it was accepted";
    if (winner->outflow.stored() > kMaxGenerationsKept * settings_.max_candidates)
      return "holds too many candidates of its callee";
    return lists(winner->session, false) ? std::optional<std::string>() : "is not in its winner's list";
  }
  if (!waits) return "does not wait though nobody accepted";
  if (blocked_by(call)) return "rings though one of the two has blocked the other";
  if (call.warm.awaits_fresh_offer) return "awaits a fresh offer though nobody accepted";
  if (call.warm.session && find_leg(call, *call.warm.session) == nullptr) return "has a warm leg that left";
  for (const Leg& leg : *call.legs()) {
    if (call.room && !rooms_.has(*call.room, leg.session)) return "is in a room that its leg has left";
    if (leg.outflow.stored() > kMaxGenerationsKept * settings_.max_candidates)
      return "holds too many candidates of a leg";
    if (!lists(leg.session, false)) return "is not in the list of a leg";
  }
  return std::nullopt;
}

std::size_t Calls::deadlines_due() {
  std::size_t count = 0;
  calls_.for_each([&count](SlabId, Call& call) {
    const std::vector<Leg>* legs = call.legs();
    if (legs != nullptr) count += legs->empty() && !call.being_woken ? 2U : 1U;
  });
  return count + claims_.size();
}

std::optional<std::string> Calls::broken_invariant() {
  std::optional<std::string> broken = claims_.broken_invariant();
  for (const auto& [id, stand_in] : stand_ins_) {
    const Session* session = sessions_.find(stand_in);
    if (session == nullptr || session->connection) broken = id.text() + " has a wrong stand-in";
  }
  if (const auto what = rooms_.broken_invariant()) broken = what;
  if (const auto what = blocks_.broken_invariant()) broken = what;
  std::size_t parties = 0;
  calls_.for_each([&](SlabId, Call& call) {
    if (const auto what = broken_call(call)) broken = call.id.text() + " " + *what;
    parties += 1 + (call.winner() != nullptr ? 1 : call.legs()->size());
  });
  if (key_by_id_.size() != calls_.size()) broken = "key_by_id has stale entries";
  if (key_by_serial_.size() != calls_.size()) broken = "key_by_serial has stale entries";
  if (!placements_.agree()) broken = "placements do not agree";
  if (records_.size() > settings_.max_records) broken = "too many records are kept";
  std::size_t listed = 0;
  sessions_.for_each([&](const Session& session) {
    listed += session.dialled.size() + session.incoming.size();
    if (session.dialled.size() > settings_.max_dialled_calls_per_session)
      broken = session.id + " dialled too many";
    if (session.incoming.size() > settings_.max_incoming_calls_per_session)
      broken = session.id + " rings too often";
    if (session.recently_ended.size() > kMaxRecentlyEnded) broken = session.id + " remembers too many calls";
  });
  if (listed != parties)
    broken = "sessions list " + std::to_string(listed) + " of " + std::to_string(parties);
  return broken;
}

}  // namespace offhook::call
