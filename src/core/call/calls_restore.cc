// Calls from the time before a restart of the server, or of a session that was lost: both sides tell what
// they know of them, and where they agree the call goes on (docs/protocol.md, "After a restart of the
// server").

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::EndReason;
using signal::ErrorCode;
using signal::Snapshot;

namespace {

// A caller that gives up before anybody answers cancels, whatever word its device has for it; who is called
// does not learn of a block.
EndReason end_by_caller(const Snapshot& ended) {
  const bool gave_up =
      !ended.was_accepted && (ended.reason == EndReason::hangup || ended.reason == EndReason::blocked);
  return gave_up ? EndReason::canceled : ended.reason;
}

// The call went on without this device: another one of its user had it, or declined it. That device tells of
// the call, and this one of nothing but itself, even where it has accepted or had the call before.
bool was_elsewhere(const Snapshot& ended) {
  return ended.state == Snapshot::State::ended &&
         (ended.reason == EndReason::answered_elsewhere || ended.reason == EndReason::declined_elsewhere);
}

// What `ended` of one side means for the other one, which has told `told`; nothing if that may go on.
std::optional<EndReason> end_for_other(const Snapshot& ended, const Snapshot& told) {
  if (was_elsewhere(ended)) return std::nullopt;
  if (ended.is_caller) return end_by_caller(ended);
  // Without an accept it is one device of several that is out.
  const bool rings = told.state == Snapshot::State::ringing;
  if (ended.was_accepted || (rings && ended.reason == EndReason::declined)) return ended.reason;
  return std::nullopt;
}

// One side is gone, as the protocol has it for the other.
EndReason lost(const Snapshot& told, bool accepts = false) {
  const bool is_ringing_leg = !told.is_caller && told.state == Snapshot::State::ringing && !accepts;
  return is_ringing_leg ? EndReason::canceled : EndReason::signaling_lost;
}

}  // namespace

Handled Calls::handle(Session& from, const Snapshot& told, const Step& step) {
  if (told.peer == from.user) return fail(Refusal{ErrorCode::self_call, "a user cannot call themselves"});
  if (told.room && told.state == Snapshot::State::ringing)
    return fail(Refusal{ErrorCode::wrong_state, "in a room a call that nobody has answered is dialled anew"});
  const bool is_back = told.is_caller && !was_elsewhere(told) && take_over(from, told.call, step);
  if (has_ended(from, told.call)) return {};
  if (is_back) meet_winner(from, told, step);
  switch (told.state) {
    case Snapshot::State::ringing:
      return told.is_caller ? ring_again(from, told, step) : claim_ring(from, told, step);
    case Snapshot::State::accepted:
    case Snapshot::State::connected:
      return claim_talk(from, told, step);
    case Snapshot::State::ended:
      return claim_end(from, told, step);
  }
  return {};
}

// As good as a dial: whoever may tell this may dial. So nobody else has to agree.
Handled Calls::ring_again(Session& from, const Snapshot& told, const Step& step) {
  if (const auto part = part_of(from, told.call)) {
    note_generation(*part->call, told.generation);
    reconsider(told.call, step);
    return {};
  }
  if (find(told.call) != nullptr) return fail(Refusal{ErrorCode::bad_call_id, "the call is another one's"});
  if (is_over(from, told, step)) return {};
  const signal::Dial dial{told.call, told.peer, told.media};
  const Handled allowed = may_dial(from, dial, step);
  if (!allowed) return allowed;
  const auto age = std::min<Duration>(std::chrono::milliseconds(told.age_ms), settings_.ring_timeout);
  Call& call = begin(from, dial, from.warm_path, step.now - age, step);
  expect_others(call, step);
  note_generation(call, told.generation);
  ring_devices(call, step);
  reconsider(told.call, step);
  return {};
}

// A device that rings. If the call waits, it has a leg since it attached.
Handled Calls::claim_ring(Session& from, const Snapshot& told, const Step& step) {
  if (const auto part = part_of(from, told.call)) {
    if (part->role != Role::leg) return {};
    outdate_offer(*part->call, told.generation);
    find_leg(*part->call, from.key)->may_have_path = told.generation.has_value();
    return {};
  }
  if (Call* call = find(told.call)) {
    const bool fits = call->callee_user == from.user && call->caller_user == told.peer;
    if (!fits) return fail(Refusal{ErrorCode::not_in_call, "this session has no part in the call"});
    tell_end(from, told, call->winner() != nullptr ? EndReason::answered_elsewhere : EndReason::busy, step);
    return {};
  }
  if (is_over(from, told, step)) return {};
  return keep_claim(from, told, step);
}

Handled Calls::claim_talk(Session& from, const Snapshot& told, const Step& step) {
  const auto part = part_of(from, told.call);
  if (part && part->call->winner() != nullptr) return {};
  Call* call = find(told.call);
  // Another device of this user has it, whatever the other side's devices have seen of it.
  const bool is_ours =
      call != nullptr && (told.is_caller ? call->caller_user : call->callee_user) == from.user;
  if (is_ours && call->winner() != nullptr) {
    tell_end(from, told, EndReason::answered_elsewhere, step);
    return {};
  }
  if (!part && is_over(from, told, step)) return {};
  const Handled kept = keep_claim(from, told, step);
  if (!kept) return kept;
  establish(told.call, step);
  // The caller has not heard of the accept. One that is not back is waited for: it may have.
  const Claim* claim = claims_.find(from.key, told.call);
  const bool is_new = part && part->role == Role::leg && claim != nullptr && !stand_ins_.contains(told.call);
  if (!is_new) return {};
  (void)claims_.take(claim->key);
  outdate_offer(*part->call, told.generation);
  return handle(from, signal::Accept{told.call, told.media}, step);
}

Handled Calls::claim_end(Session& from, const Snapshot& told, const Step& step) {
  if (const auto part = part_of(from, told.call)) {
    if (was_elsewhere(told)) {
      if (part->role != Role::leg) return {};
      lose_leg(*part->call, from.key, step);
      remember_end(from, told.call);
      return {};
    }
    const EndReason reason = told.is_caller ? end_by_caller(told) : told.reason;
    if (part->role != Role::leg || told.was_accepted) {
      const auto next = decide(*part, part->role == Role::caller ? Event::caller_hangup
                                      : part->role == Role::leg  ? Event::leg_decline
                                                                 : Event::winner_hangup);
      assert(next && *next == State::ended);
      (void)next;
      const bool is_restored = part->call->is_restored;
      end_call(*part->call, {reason, reason, from.key, reason}, step);
      // For those who are not back yet.
      return is_restored ? keep_claim(from, told, step) : Handled();
    }
    return leave(from, *part, reason, false, step);
  }
  note_leaving(from, told, step);
  const Claim own{{}, from.key, from.user, told};
  for (const ClaimKey key : claims_.of_call(told.call)) {
    const Claim* other = claims_.find(key);  // the end of one may end others
    if (other == nullptr || other->is_over() || !other->fits(own)) continue;
    if (const auto reason = end_for_other(told, other->snapshot)) end_claim(key, *reason, step);
  }
  return keep_claim(from, told, step);
}

// A device that is no part of a call of before a restart says why it has left it.
void Calls::note_leaving(const Session& from, const Snapshot& told, const Step& step) {
  Call* call = find(told.call);
  const bool was_leg = call != nullptr && !told.is_caller && call->callee_user == from.user &&
                       call->caller_user == told.peer && !was_elsewhere(told);
  if (was_leg && step.now < call->others_until) call->left_for = told.reason;
}

Handled Calls::keep_claim(const Session& from, const Snapshot& told, const Step& step) {
  if (claims_.put(from, told, step.now)) return {};
  return fail(Refusal{ErrorCode::too_many_calls, "too many calls wait for their other side"});
}

Handled Calls::accept_claim(Claim& claim, const signal::Accept& message, const Step& step) {
  claim.accepts = true;
  claim.snapshot.media = message.media;
  establish(message.call, step);
  return {};
}

// The person does not wait for the other side to be back.
Handled Calls::give_up_claim(Session& from, const Claim& claim, EndReason reason, const Step& step) {
  if (claim.is_over()) return {};
  const Claim taken = claims_.take(claim.key);
  Snapshot told = taken.snapshot;
  if (!part_of(from, told.call)) tell_end(from, told, reason, step);
  told.was_accepted = taken.talks();
  told.state = Snapshot::State::ended;
  told.reason = !told.was_accepted && reason == EndReason::hangup ? EndReason::declined : reason;
  return claim_end(from, told, step);
}

bool Calls::is_over(Session& from, const Snapshot& told, const Step& step) {
  const Claim own{{}, from.key, from.user, told};
  bool goes_on = false;  // on some device of the other side
  for (const ClaimKey key : claims_.of_call(told.call)) {
    const Claim& other = *claims_.find(key);
    if (!other.fits(own)) continue;
    goes_on = goes_on || !other.is_over();
    if (!other.is_over()) continue;
    if (const auto reason = end_for_other(other.snapshot, told)) {
      tell_end(from, told, *reason, step);
      return true;
    }
  }
  if (goes_on || !has_seen_end(told.peer, told.call)) return false;
  tell_end(from, told, lost(told), step);
  return true;
}

// A device that is out by itself has told so, and has not seen the end of the call.
bool Calls::has_seen_end(std::string_view user, const signal::CallId& id) {
  const std::vector<SessionKey>& devices = sessions_.of_user(user);
  return std::any_of(devices.begin(), devices.end(), [&](SessionKey device) {
    return has_ended(*sessions_.find(device), id) && claims_.find(device, id) == nullptr;
  });
}

void Calls::tell_end(Session& to, const Snapshot& told, EndReason reason, const Step& step) {
  remember_end(to, told.call);
  const Verdict why = verdict(reason, told.is_caller ? Side::caller : Side::callee, Cause::other_end);
  sessions_.send(to.key, signal::ended(told.call, reason, why.sentence, why.retryable), std::nullopt, step);
}

void Calls::establish(const signal::CallId& id, const Step& step) {
  const auto pair = talking_pair(id);
  if (!pair) return;
  if (!can_talk(*claims_.find(pair->first), *claims_.find(pair->second))) return;
  const Claim caller = claims_.take(pair->first);
  const Claim callee = claims_.take(pair->second);
  talk(caller, callee, step);
  reconsider(id, step);
}

// Whoever has talked with the caller comes before somebody who would like to.
std::optional<std::pair<ClaimKey, ClaimKey>> Calls::talking_pair(const signal::CallId& id) {
  const std::vector<ClaimKey> keys = claims_.of_call(id);
  for (const bool has_talked : {true, false}) {
    for (const ClaimKey first : keys) {
      const Claim& caller = *claims_.find(first);
      if (!caller.has_talked() || !caller.snapshot.is_caller) continue;
      for (const ClaimKey second : keys) {
        const Claim& callee = *claims_.find(second);
        const bool agrees = has_talked ? callee.has_talked() : callee.talks();
        if (agrees && callee.fits(caller)) return std::pair(first, second);
      }
    }
  }
  return std::nullopt;
}

// Whether the call can be theirs: no other has its id, and both have room for it.
bool Calls::can_talk(const Claim& caller, const Claim& callee) {
  Call* call = find(caller.snapshot.call);
  const std::optional<signal::RoomName>& room = caller.snapshot.room;
  if (callee.snapshot.room != room || (call != nullptr && call->room != room)) return false;
  if (room && !are_members(*room, caller.session, callee.session)) return false;
  if (call != nullptr) {
    return call->caller_session == caller.session && call->legs() != nullptr &&
           find_leg(*call, callee.session) != nullptr;
  }
  return sessions_.find(caller.session)->dialled.size() < settings_.max_dialled_calls_per_session &&
         sessions_.find(callee.session)->incoming.size() < settings_.max_incoming_calls_per_session;
}

void Calls::talk(const Claim& caller, const Claim& callee, const Step& step) {
  Session& dialled_by = *sessions_.find(caller.session);
  Session& answered_by = *sessions_.find(callee.session);
  const signal::CallId& id = caller.snapshot.call;
  if (find(id) == nullptr) {
    Call& call = begin(dialled_by, {id, callee.user, caller.snapshot.media, caller.snapshot.room},
                       dialled_by.warm_path, step.now, step);
    call.phase =
        Ringing{{Leg{answered_by.key, std::max(call.caller_warm_path, answered_by.warm_path), true, {}}}};
    answered_by.incoming.push_back(call.key);
  }
  Call& call = *find(id);
  note_generation(call, caller.snapshot.generation);
  note_generation(call, callee.snapshot.generation);
  // As both are told.
  if (!call.negotiation) note_generation(call, 0);
  const Handled accepted = handle(answered_by, signal::Accept{id, callee.snapshot.media}, step);
  assert(accepted);
  (void)accepted;
  for (const Claim* claim : {&caller, &callee}) {
    Session& party = *sessions_.find(claim->session);
    if (claim->snapshot.state == Snapshot::State::connected) {
      const Handled connected = handle(party, signal::Connected{id, std::nullopt, std::nullopt}, step);
      assert(connected);
      (void)connected;
    }
    sessions_.send(party.key, signal::restored(id, call.negotiation->generation), std::nullopt, step);
  }
}

void Calls::reconsider(const signal::CallId& id, const Step& step) {
  for (const ClaimKey key : claims_.of_call(id)) {
    if (claims_.find(key) == nullptr) continue;  // one before has settled it
    const Claim claim = claims_.take(key);
    Session* session = sessions_.find(claim.session);
    // It was allowed when it was told, and nobody waits for another answer.
    if (session == nullptr) continue;
    // Its session may have seen the end of its own part.
    if (claim.is_over()) {
      (void)claim_end(*session, claim.snapshot, step);
      continue;
    }
    (void)handle(*session, claim.snapshot, step);
    if (claim.accepts) (void)handle(*session, signal::Accept{id, claim.snapshot.media}, step);
  }
}

bool Calls::take_over(Session& from, const signal::CallId& id, const Step& step) {
  const auto found = stand_ins_.find(id);
  if (found == stand_ins_.end()) return false;
  Session& stand_in = *sessions_.find(found->second);
  // A device that has taken the call meanwhile has missed nothing of it.
  if (stand_in.user != from.user || has_ended(from, id) || part_of(from, id)) return false;
  if (from.dialled.size() >= settings_.max_dialled_calls_per_session) return false;
  if (Call* call = find(id); call != nullptr && call->caller_session == stand_in.key) {
    call->caller_session = from.key;
    std::erase(stand_in.dialled, call->key);
    from.dialled.push_back(call->key);
    call->timeline.add(step.now, "the caller is back");
  } else {
    remember_end(from, id);
  }
  for (const Queued& queued : stand_in.queue) sessions_.send(from.key, queued.body, queued.began, step);
  const SessionKey gone = stand_in.key;
  handle_gone(stand_in, step);
  sessions_.close(gone, 0, "", step);
  return true;
}

// Somebody has accepted while the caller was away, and the caller has heard of an accept: of this one, over
// the path that stood while it rang, or of that of another device, which is still on its way.
void Calls::meet_winner(Session& caller, const Snapshot& told, const Step& step) {
  const auto part = part_of(caller, told.call);
  const bool has_talked = told.state == Snapshot::State::accepted || told.state == Snapshot::State::connected;
  if (!has_talked || !part || part->call->winner() == nullptr) return;
  Call& call = *part->call;
  note_generation(call, told.generation);
  if (call.warm.awaits_fresh_offer || call.winner()->may_have_path) return;
  call.warm.awaits_fresh_offer = true;
  if (auto* accepted = std::get_if<Accepted>(&call.phase)) accepted->winner_connected = false;
  call.timeline.add(step.now, "the caller has talked with another device than the one that has won");
  const signal::MediaState& said = call.callee_state;
  sessions_.send(caller.key, signal::accepted(call.id, said.media, true), std::nullopt, step);
  if (said != signal::MediaState{said.media})
    sessions_.send(caller.key, signal::state(call.id, call.callee_user, said), std::nullopt, step);
}

// The same the other way round: a device accepts, and the caller, who is back, has told that it talks. True
// if the two have to begin afresh.
bool Calls::settle_claim_of_caller(Call& call, const Leg& leg) {
  const Claim* claim = claims_.find(call.caller_session, call.id);
  if (claim == nullptr || !claim->talks()) return false;
  const Claim taken = claims_.take(claim->key);
  note_generation(call, taken.snapshot.generation);
  return !leg.may_have_path;
}

void Calls::lose_claims(const Session& session, const Step& step) {
  for (const ClaimKey key : claims_.of_session(session.key)) {
    if (claims_.find(key) == nullptr) continue;
    const Claim own = claims_.take(key);
    if (!own.talks()) continue;
    for (const ClaimKey other_key : claims_.of_call(own.snapshot.call)) {
      const Claim* other = claims_.find(other_key);
      if (other == nullptr || !other->talks() || !other->fits(own)) continue;
      end_claim(other_key, EndReason::signaling_lost, step);
    }
  }
}

void Calls::handle_claim_timeout(ClaimKey key, const Step& step) {
  const Claim& claim = *claims_.find(key);
  if (claim.is_over()) {
    (void)claims_.take(key);
  } else {
    end_claim(key, lost(claim.snapshot, claim.accepts), step);
  }
}

// What its session has claimed is over; it may have a part in what was restored of it.
void Calls::end_claim(ClaimKey key, EndReason reason, const Step& step) {
  const Claim claim = claims_.take(key);
  Session& session = *sessions_.find(claim.session);
  if (const auto part = part_of(session, claim.snapshot.call)) {
    end_call(*part->call, {reason, reason, std::nullopt, reason}, step);
  } else {
    tell_end(session, claim.snapshot, reason, step);
  }
}

void Calls::restore(const WaitingCall& waiting, const Step& step) {
  const Instant began = step.now - waiting.age;
  const bool is_usable = waiting.age < settings_.ring_timeout && find(waiting.call) == nullptr &&
                         sessions_.size() < settings_.max_sessions;
  if (!is_usable) {
    step.outbox.push_back(ForgetCall{waiting.call});
    return;
  }
  Session& stand_in = sessions_.open_detached(waiting.caller, step.now);
  stand_ins_.emplace(waiting.call, stand_in.key);
  Call& call = begin(stand_in, {waiting.call, waiting.callee, waiting.media}, waiting.warm_path, began, step);
  expect_others(call, step);
  call.timeline.add(step.now, "restored from the journal");
  ring_devices(call, step);
}

void Calls::expect_others(Call& call, const Step& step) const {
  call.is_restored = true;
  call.others_until = step.now + settings_.session_grace;
}

// What either side has used of the generations; the next offer is above it. Whatever was under way of them is
// lost, and is offered anew.
void Calls::note_generation(Call& call, std::optional<std::uint32_t> generation) {
  if (!generation) return;
  if (call.negotiation && call.negotiation->generation >= *generation) return;
  call.negotiation = Negotiation{*generation, true, true};
}

// A device has used more of the generations than the caller's offer knows of, and will not take that one: if
// it wins, the caller offers anew.
void Calls::outdate_offer(Call& call, std::optional<std::uint32_t> generation) {
  if (!generation || (call.negotiation && *generation <= call.negotiation->generation)) return;
  const bool has_offer = call.negotiation.has_value();
  note_generation(call, generation);
  // An offer that is still to come is refused as stale, and made anew.
  if (has_offer) call.warm = WarmLeg{.answer_passed = true};
}

}  // namespace offhook::call
