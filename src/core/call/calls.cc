#include "core/call/calls.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace offhook::call {
namespace {

using signal::EndReason;
using signal::ErrorCode;

Event by_role(Role role, Event caller, Event leg, Event winner) {
  switch (role) {
    case Role::caller:
      return caller;
    case Role::leg:
      return leg;
    case Role::winner:
      return winner;
  }
  return caller;
}

std::string_view explanation(ErrorCode error) {
  if (error == ErrorCode::bad_call_id) return "this call id has been used; take a new one for each call";
  if (error == ErrorCode::unknown_call) return "there is no such call any more";
  return "the call is not in a state for this message";
}

std::string media_text(signal::Media media) {
  if (media.audio && media.video) return "audio and video";
  if (media.video) return "video";
  return media.audio ? "audio" : "no media";
}

std::string connected_text(Role role, const signal::Connected& message) {
  std::string text = role == Role::caller ? "caller connected" : "callee connected";
  if (message.time_to_connect_ms) text += " in " + std::to_string(*message.time_to_connect_ms) + " ms";
  if (message.pair) {
    text += " over " + message.pair->local + " to " + message.pair->remote + " " + message.pair->protocol;
  }
  return text;
}

}  // namespace

Calls::Calls(const Settings& settings, Sessions& sessions, Deadlines& deadlines)
    : settings_(settings),
      sessions_(sessions),
      deadlines_(deadlines),
      claims_(settings, deadlines),
      records_(settings.max_records),
      dial_rate_(settings),
      blocks_(settings),
      rooms_(settings) {}

Call* Calls::find(const signal::CallId& id) {
  const auto found = key_by_id_.find(id);
  return found == key_by_id_.end() ? nullptr : calls_.find(found->second.slot);
}

std::optional<Calls::Located> Calls::part_of(const Session& from, const signal::CallId& id) {
  Call* call = find(id);
  if (call == nullptr) return std::nullopt;
  if (call->caller_session == from.key) return Located{call, Role::caller};
  if (const Leg* winner = call->winner(); winner != nullptr && winner->session == from.key) {
    return Located{call, Role::winner};
  }
  if (call->legs() != nullptr && find_leg(*call, from.key) != nullptr) return Located{call, Role::leg};
  return std::nullopt;
}

Result<Calls::Located, Refusal> Calls::locate(const Session& from, const signal::CallId& id) {
  if (const auto part = part_of(from, id)) return *part;
  if (has_ended(from, id)) return Located{};
  // Before the other side is back nobody is there to hear it.
  if (claims_.find(from.key, id) != nullptr) return Located{};
  const Call* call = find(id);
  if (call != nullptr) return fail(Refusal{ErrorCode::not_in_call, "this session has no part in the call"});
  return fail(Refusal{ErrorCode::unknown_call, "there is no such call, or it has been over for long"});
}

bool Calls::has_ended(const Session& session, const signal::CallId& id) {
  const auto& ended = session.recently_ended;
  return std::find(ended.begin(), ended.end(), id) != ended.end();
}

bool Calls::is_remembered(const signal::CallId& id, std::string_view user) {
  const std::vector<SessionKey>& devices = sessions_.of_user(user);
  return std::any_of(devices.begin(), devices.end(),
                     [&](SessionKey device) { return has_ended(*sessions_.find(device), id); });
}

Result<std::optional<State>, Refusal> Calls::decide(const Located& located, Event event) {
  const Transition decided =
      transition(located.call == nullptr ? State::ended : located.call->state(), event);
  switch (decided.verb) {
    case Verb::act:
      return decided.next;
    case Verb::ignore:
      return std::nullopt;
    case Verb::refuse:
      return fail(Refusal{decided.error, explanation(decided.error)});
    case Verb::impossible:
      break;
  }
  assert(false);
  return std::nullopt;
}

Handled Calls::handle(Session& from, const signal::Dial& message, const Step& step) {
  const auto located = locate(from, message.call);
  if (located) {
    const Event event = by_role(located->role, Event::caller_dial, Event::leg_dial, Event::winner_dial);
    const auto next = decide(*located, event);
    if (!next) return fail(next.error());
    assert(!*next);  // no row of `dial` acts: a call is made where there is none
    return {};
  }
  // An id that lives, or that a device of the callee has seen end: to that device nothing may follow for it.
  if (located.error().code == ErrorCode::not_in_call || is_remembered(message.call, message.to)) {
    return fail(Refusal{ErrorCode::bad_call_id, explanation(ErrorCode::bad_call_id)});
  }
  const Handled allowed = may_dial(from, message, step);
  if (!allowed) return allowed;
  Call& call = begin(from, message, from.warm_path, step.now, step);
  settle_placement(message.call, from, step);
  sessions_.push_credentials(from.key, step);
  if (ring_devices(call, step) && !call.room) {
    step.outbox.push_back(CallDialled{call.id, call.caller_user, call.callee_user, call.media});
  }
  reconsider(message.call, step);
  return {};
}

Handled Calls::may_dial(const Session& from, const signal::Dial& dial, const Step& step) {
  if (const auto asked = placements_.user_of(dial.call); asked && *asked != from.user) {
    return fail(Refusal{ErrorCode::bad_call_id, explanation(ErrorCode::bad_call_id)});
  }
  if (dial.to == from.user) return fail(Refusal{ErrorCode::self_call, "a user cannot call themselves"});
  if (dial.room) {
    const Handled allowed = may_dial_in(*dial.room, from, dial.to);
    if (!allowed) return allowed;
  }
  if (from.dialled.size() >= settings_.max_dialled_calls_per_session) {
    return fail(Refusal{ErrorCode::too_many_calls, "end another call first"});
  }
  if (waiting_calls(from.user, dial.to) >= settings_.max_waiting_calls_per_pair) {
    return fail(Refusal{ErrorCode::too_many_calls, "calls of yours to this user wait already"});
  }
  if (const auto wait = dial_rate_.take(from.user, step.now)) {
    return fail(Refusal{ErrorCode::too_many_dials, "you dial too often; wait a while", wait});
  }
  return {};
}

// A call that waits for an accept. Nobody has been told of it yet.
Call& Calls::begin(Session& from, const signal::Dial& dial, WarmPath warm_path, Instant began,
                   const Step& step) {
  const CallKey key{calls_.emplace(dial.call, from.user, dial.to, dial.media, from.key, warm_path, began)};
  Call& call = *calls_.find(key.slot);
  call.key = key;
  call.room = dial.room;
  call.serial = ++last_serial_;
  key_by_serial_.emplace(call.serial, key);
  call.timeline.add(step.now, "dialled, " + media_text(dial.media));
  key_by_id_.emplace(call.id, key);
  waiting_by_callee_[call.callee_user].push_back(key);
  from.dialled.push_back(key);
  deadlines_.set({Timer::ring, key.slot}, began + settings_.ring_timeout);
  // A room is gone with the process, and its members dial anew.
  if (call.room) return call;
  step.outbox.push_back(
      JournalCall{{call.id, call.caller_user, call.callee_user, call.media, warm_path, step.now - began}});
  return call;
}

// Between the two states in which nobody has accepted.
void Calls::enter(Call& call, State next) {
  if (call.state() == next) return;
  std::vector<Leg> legs = std::move(*call.legs());
  if (next == State::ringing) {
    call.phase = Ringing{std::move(legs)};
  } else {
    call.phase = Dialing{std::move(legs)};
  }
  assert(call.state() == next);
}

Handled Calls::handle(Session& from, const signal::Ringing& message, const Step& step) {
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  const auto next = decide(
      *located, by_role(located->role, Event::caller_ringing, Event::leg_ringing, Event::winner_ringing));
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  for (Leg& leg : *call.legs()) {
    if (leg.session == from.key) leg.rings = true;
  }
  if (call.state() == **next) return {};
  enter(call, **next);
  call.timeline.add(step.now, "ringing");
  sessions_.send(call.caller_session, signal::ringing(call.id), std::nullopt, step);
  return {};
}

Handled Calls::handle(Session& from, const signal::Accept& message, const Step& step) {
  Claim* claim = claims_.find(from.key, message.call);
  if (claim != nullptr && claim->rings() && !part_of(from, message.call))
    return accept_claim(*claim, message, step);
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  bool fresh = false;
  if (located->role == Role::leg) {
    const WarmLeg& warm = located->call->warm;
    const bool is_other = settle_claim_of_caller(*located->call, *find_leg(*located->call, from.key));
    fresh = is_other || (warm.answer_passed && warm.session != from.key);
  }
  const auto next =
      decide(*located, by_role(located->role, Event::caller_accept,
                               fresh ? Event::leg_accept_fresh : Event::leg_accept, Event::winner_accept));
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  std::vector<Leg> legs = std::move(*call.legs());
  stop_waiting(call, step);
  call.newest_offer.reset();
  call.warm.awaits_fresh_offer = fresh;
  call.timeline.add(step.now, "accepted, " + media_text(message.media) +
                                  (fresh ? ", on another device than the warm one" : ""));
  for (Leg& leg : legs) {
    if (leg.session == from.key) {
      call.phase = Accepted{std::move(leg), call.warm.caller_connected && !fresh, false};
    } else {
      end_for(call, leg.session, EndReason::answered_elsewhere, Side::callee, Cause::other_end, step);
    }
  }
  assert(call.state() == **next);
  sessions_.push_credentials(call.caller_session, step);
  sessions_.push_credentials(from.key, step);
  sessions_.send(call.caller_session, signal::accepted(call.id, message.media, fresh), std::nullopt, step);
  introduce_seen(call, step);
  if (!fresh) release_withheld(call, step);
  if (!call.room) step.outbox.push_back(CallAnswered{call.id});
  call.callee_state = {message.media};
  if (call.caller_state != signal::MediaState{call.media}) {
    sessions_.send(from.key, signal::state(call.id, call.caller_user, call.caller_state), std::nullopt, step);
  }
  return {};
}

void Calls::stop_waiting(Call& call, const Step& step) {
  deadlines_.cancel({Timer::ring, call.key.slot});
  deadlines_.cancel({Timer::unreachable, call.key.slot});
  const auto waiting = waiting_by_callee_.find(call.callee_user);
  if (waiting == waiting_by_callee_.end()) return;
  if (std::erase(waiting->second, call.key) > 0 && !call.room) step.outbox.push_back(ForgetCall{call.id});
  if (waiting->second.empty()) waiting_by_callee_.erase(waiting);
}

Handled Calls::handle(Session& from, const signal::Reject& message, const Step& step) {
  if (const Claim* claim = claims_.find(from.key, message.call))
    return give_up_claim(from, *claim, message.reason, step);
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  if (located->role == Role::leg) return leave(from, *located, message.reason, message.here, step);
  const auto next =
      decide(*located, located->role == Role::caller ? Event::caller_reject : Event::winner_reject);
  if (!next) return fail(next.error());
  assert(!*next);  // after accept a call is ended by hangup
  return {};
}

Handled Calls::handle(Session& from, const signal::Hangup& message, const Step& step) {
  if (const Claim* claim = claims_.find(from.key, message.call))
    return give_up_claim(from, *claim, message.reason, step);
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  if (located->role == Role::leg) {
    const bool declines = message.reason == EndReason::hangup;
    return leave(from, *located, declines ? EndReason::declined : message.reason, false, step);
  }
  const auto next =
      decide(*located, located->role == Role::caller ? Event::caller_hangup : Event::winner_hangup);
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  if (call.winner() != nullptr) {
    end_call(call, {message.reason, message.reason, from.key, message.reason}, step);
    return {};
  }
  const EndReason told = message.reason == EndReason::hangup ? EndReason::canceled : message.reason;
  end_call(call, {told, told, from.key, told}, step);
  return {};
}

// A leg does not take the call: the person does not want it, or this device cannot.
Handled Calls::leave(Session& from, const Located& located, EndReason reason, bool here, const Step& step) {
  Call& call = *located.call;
  const bool is_last = call.legs()->size() == 1;
  const bool declines = reason == EndReason::declined && !here;
  if (is_last && !declines && step.now < call.others_until) {
    await_others(call, from, reason, step);
    return {};
  }
  const Event event = declines ? Event::leg_decline : is_last ? Event::leg_leave_last : Event::leg_leave;
  const auto next = decide(located, event);
  if (!next) return fail(next.error());
  if (**next == State::ended) {
    end_call(call, {reason, EndReason::declined_elsewhere, from.key, reason}, step);
    return {};
  }
  call.timeline.add(step.now, "a device left: " + std::string(signal::name(reason)));
  take_out_leg(call, from.key);
  end_for(call, from.key, reason, Side::callee, Cause::this_end, step);
  return {};
}

Handled Calls::handle(Session& from, const signal::Connected& message, const Step& step) {
  const auto located = locate(from, message.call);
  if (!located) return fail(located.error());
  Event event = located->role == Role::leg ? Event::leg_connected : Event::connected_first;
  Accepted* accepted = located->call == nullptr ? nullptr : std::get_if<Accepted>(&located->call->phase);
  if (accepted != nullptr) {
    const bool is_caller = located->role == Role::caller;
    const bool own = is_caller ? accepted->caller_connected : accepted->winner_connected;
    const bool other = is_caller ? accepted->winner_connected : accepted->caller_connected;
    if (own || other) event = own ? Event::connected_again : Event::connected_both;
  } else if (located->call != nullptr && located->call->state() == State::connected) {
    event = Event::connected_again;
  } else if (located->call != nullptr && located->role == Role::caller && located->call->warm.session &&
             !located->call->waits_longer) {
    event = Event::caller_connected_warm;
  }
  const auto next = decide(*located, event);
  if (!next) return fail(next.error());
  if (!*next) return {};
  Call& call = *located->call;
  call.timeline.add(step.now, connected_text(located->role, message));
  if (event == Event::caller_connected_warm) {
    wait_longer(call, step);
    return {};
  }
  if (**next == State::connected) {
    Leg winner = std::move(accepted->winner);
    call.phase = Connected{std::move(winner)};
  } else {
    (located->role == Role::caller ? accepted->caller_connected : accepted->winner_connected) = true;
  }
  assert(call.state() == **next);
  return {};
}

// The accept is on its way by a device that has lost its connection to us, and lives as long as its session.
// It is no accept: what is withheld stays so.
void Calls::wait_longer(Call& call, const Step& step) {
  call.warm.caller_connected = true;
  call.waits_longer = true;
  deadlines_.set({Timer::ring, call.key.slot}, std::max(call.timeline.began() + settings_.ring_timeout,
                                                        step.now + settings_.session_grace));
}

}  // namespace offhook::call
