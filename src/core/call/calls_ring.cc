// How the callee's devices come to ring, and that ringing takes no more of them than it may.

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::EndReason;

std::size_t Calls::waiting_calls(std::string_view caller, std::string_view callee) {
  const auto waiting = waiting_by_callee_.find(callee);
  if (waiting == waiting_by_callee_.end()) return 0;
  const auto count = std::count_if(waiting->second.begin(), waiting->second.end(),
                                   [&](CallKey key) { return calls_.find(key.slot)->caller_user == caller; });
  return static_cast<std::size_t>(count);
}

std::vector<SessionKey> Calls::devices_for(const Call& call) const {
  if (!call.room) return sessions_.of_user(call.callee_user);
  return {rooms_.find(*call.room, call.callee_user)->session};
}

bool Calls::ring_devices(Call& call, const Step& step) {
  if (const auto by = blocked_by(call)) {
    end_blocked(call, *by, step);
    return false;
  }
  const std::vector<SessionKey> devices = devices_for(call);
  for (const SessionKey device : devices) add_leg_if_room(call, *sessions_.find(device), step);
  if (!call.legs()->empty()) return true;
  const bool nobody = std::all_of(devices.begin(), devices.end(), [&](SessionKey key) {
    const Session& session = *sessions_.find(key);
    return session.holds_place || has_ended(session, call.id);
  });
  if (nobody) {
    call.timeline.add(step.now, "no device of the callee is online");
    await_device(call, step);
    return true;
  }
  // Every device rings for as many calls as it may.
  end_call(call, {EndReason::busy, EndReason::busy, std::nullopt, EndReason::busy}, step);
  return false;
}

void Calls::await_device(const Call& call, const Step& step) {
  if (call.being_woken) return;
  const Duration wait = call.is_restored ? settings_.session_grace : settings_.unreachable_timeout;
  deadlines_.set({Timer::unreachable, call.key.slot}, step.now + wait);
}

void Calls::handle_waking(const signal::CallId& id, Waking waking, const Step& step) {
  Call* call = find(id);
  const auto next = decide({call, Role::leg}, Event::waking);
  if (!next || !*next) return;
  const bool under_way = waking == Waking::under_way;
  if (call->being_woken == under_way) return;
  call->being_woken = under_way;
  call->timeline.add(step.now, under_way ? "devices of the callee are being woken" : "nobody can be woken");
  if (under_way) {
    deadlines_.cancel({Timer::unreachable, call->key.slot});
  } else if (call->legs()->empty()) {
    await_device(*call, step);
  }
}

void Calls::handle_attached(Session& session, const Step& step) {
  const auto waiting = waiting_by_callee_.find(session.user);
  if (waiting == waiting_by_callee_.end()) return;
  for (const CallKey key : waiting->second) {
    Call& call = *calls_.find(key.slot);
    if (call.room) continue;  // meant for the device that is a member
    const auto next = decide({&call, Role::leg}, Event::device_attached);
    if (next && *next) add_leg_if_room(call, session, step);
  }
}

// Without room nothing is said: the device has never heard of the call. Or it has seen its end, and nothing
// may follow that.
void Calls::add_leg_if_room(Call& call, Session& session, const Step& step) {
  if (session.holds_place || has_ended(session, call.id) ||
      session.incoming.size() >= settings_.max_incoming_calls_per_session)
    return;
  const WarmPath warm_path = std::max(call.caller_warm_path, session.warm_path);
  Parcel parcel;
  // Once an answer has passed, the caller's messages are for that device alone; this one starts afresh if it
  // wins.
  if (call.newest_offer && !call.warm.answer_passed) {
    const KeptOffer& kept = *call.newest_offer;
    parcel = parcel_of(call, Role::caller, passage(warm_path, false),
                       {true, kept.generation, kept.sdp, kept.guarded_sdp, kept.fresh},
                       call.caller_outflow.released());
  }
  parcel.bodies.insert(parcel.bodies.begin(),
                       signal::incoming(call.id, call.caller_user, call.media, warm_path, call.room));
  if (!sessions_.has_room_to_ring(session.key, parcel.bodies)) return;

  call.legs()->push_back(Leg{session.key, warm_path, false, {}});
  session.incoming.push_back(call.key);
  deadlines_.cancel({Timer::unreachable, call.key.slot});
  call.timeline.add(step.now,
                    session.connection ? "sent to a device" : "kept for a device that is reconnecting");
  sessions_.push_credentials_if_old(session.key, step);
  introduce(call, false, parcel.introduced, step);
  std::optional<Instant> began = call.timeline.began();
  for (signal::Body& body : parcel.bodies) {
    sessions_.send(session.key, std::move(body), std::exchange(began, std::nullopt), step);
  }
}

bool Calls::leave_crowded(Call& call, SessionKey session, const Step& step) {
  const bool is_last = call.legs()->size() == 1;
  const auto next = decide({&call, Role::leg}, is_last ? Event::leg_leave_last : Event::leg_leave);
  assert(next && *next);
  if (**next == State::ended) {
    end_call(call, {EndReason::busy, EndReason::busy, std::nullopt, EndReason::busy}, step);
    return false;
  }
  call.timeline.add(step.now, "a device has too much waiting for it");
  take_out_leg(call, session);
  end_for(call, session, EndReason::busy, Side::callee, Cause::other_end, step);
  return true;
}

}  // namespace offhook::call
