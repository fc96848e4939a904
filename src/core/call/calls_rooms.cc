// Rooms: small groups in which each two members have a call (docs/protocol.md, "Rooms"). Such a call is like
// any other but for three things: it reaches one device alone, its younger member dials it, and it ends when
// one of the two is a member no more.

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::EndReason;
using signal::ErrorCode;
using signal::RoomName;

namespace {

std::string_view explanation(ErrorCode refusal) {
  if (refusal == ErrorCode::room_full) return "the room has as many members as it may";
  return "there are as many rooms as there may be; leave another one first";
}

// What a member that is left behind is told of the end of its call.
EndReason told_to_other(EndReason reason, bool accepted, bool by_caller) {
  if (!accepted && by_caller) return EndReason::canceled;
  return reason == EndReason::answered_elsewhere ? EndReason::hangup : reason;
}

}  // namespace

Handled Calls::handle(Session& from, const signal::Join& message, const Step& step) {
  const Member* before = rooms_.find(message.room, from.user);
  if (before != nullptr && before->session == from.key) return {};
  if (before == nullptr) {
    if (const auto refusal = rooms_.refusal(message.room, from.user))
      return fail(Refusal{*refusal, explanation(*refusal)});
  }
  // The others hear of each join and each leave, as many as there are.
  if (const auto wait = dial_rate_.take(from.user, step.now))
    return fail(Refusal{ErrorCode::too_many_dials, "you join too often; wait a while", wait});
  if (before != nullptr) replace(message.room, before->session, step);

  const std::vector<Member>& others = rooms_.members(message.room);
  Member member{from.user, from.key, "d_" + sessions_.random_text()};
  const signal::RoomMember shown{member.user, member.device};
  std::vector<signal::RoomMember> met;
  for (const Member& other : others) {
    met.push_back({other.user, other.device});
    sessions_.send(other.session, signal::member_joined(message.room, shown), std::nullopt, step);
  }
  sessions_.send(from.key, signal::joined(message.room, member.device, met), std::nullopt, step);
  rooms_.add(message.room, std::move(member));
  return {};
}

// Whoever is in no such room has left it already.
Handled Calls::handle(Session& from, const signal::Leave& message, const Step& step) {
  if (rooms_.has(message.room, from.key)) leave_room(from, message.room, EndReason::hangup, step);
  return {};
}

// Another device of the same user goes on in the room.
void Calls::replace(const RoomName& room, SessionKey device, const Step& step) {
  leave_room(*sessions_.find(device), room, EndReason::answered_elsewhere, step);
  sessions_.send(
      device,
      signal::left(room, EndReason::answered_elsewhere, "You have joined the room on another device.", false),
      std::nullopt, step);
}

void Calls::leave_room(Session& member, const RoomName& room, EndReason reason, const Step& step) {
  std::vector<CallKey> own = member.dialled;
  own.insert(own.end(), member.incoming.begin(), member.incoming.end());
  for (const CallKey key : own) {
    Call& call = *calls_.find(key.slot);
    if (call.room == room) end_in_room(call, member, reason, step);
  }
  const Member gone = rooms_.remove(room, member.user);
  const signal::Body left = signal::member_left(room, {gone.user, gone.device}, reason);
  for (const Member& other : rooms_.members(room)) sessions_.send(other.session, left, std::nullopt, step);
}

void Calls::leave_rooms(Session& member, EndReason reason, const Step& step) {
  for (const RoomName& room : rooms_.of_session(member.user, member.key))
    leave_room(member, room, reason, step);
}

// A member leaves, and its call with another one is over.
void Calls::end_in_room(Call& call, Session& by, EndReason reason, const Step& step) {
  const bool by_caller = call.caller_session == by.key;
  const bool accepted = call.winner() != nullptr;
  const Role role = by_caller ? Role::caller : accepted ? Role::winner : Role::leg;
  const auto next = decide({&call, role}, by_caller  ? Event::caller_hangup
                                          : accepted ? Event::winner_hangup
                                                     : Event::leg_leave_last);
  assert(next && *next == State::ended);
  (void)next;
  const EndReason other = told_to_other(reason, accepted, by_caller);
  if (by_caller) {
    end_call(call, {reason, other, by.key, reason}, step);
  } else {
    end_call(call, {other, other, by.key, reason}, step);
  }
}

// The younger of two members dials, so two that have just met never dial each other.
Handled Calls::may_dial_in(const RoomName& room, const Session& from, const std::string& to) {
  if (!rooms_.has(room, from.key)) return fail(Refusal{ErrorCode::not_in_room, "join the room first"});
  const Member* other = rooms_.find(room, to);
  if (other == nullptr) return fail(Refusal{ErrorCode::not_in_room, "they have left the room"});
  if (rooms_.is_older(room, from.user, to))
    return fail(Refusal{ErrorCode::wrong_state, "of two members the one that joined later dials"});
  for (const CallKey key : from.dialled) {
    const Call& call = *calls_.find(key.slot);
    if (call.room == room && call.callee_user == to)
      return fail(Refusal{ErrorCode::too_many_calls, "you have a call with this member"});
  }
  return {};
}

bool Calls::is_member(const Session& session) const {
  return !rooms_.of_session(session.user, session.key).empty();
}

bool Calls::are_members(const RoomName& room, SessionKey one, SessionKey other) const {
  return rooms_.has(room, one) && rooms_.has(room, other);
}

}  // namespace offhook::call
