#include "core/call/rooms.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace offhook::call {

using signal::ErrorCode;
using signal::RoomName;

namespace {

auto position(const std::vector<Member>& members, std::string_view user) {
  return std::find_if(members.begin(), members.end(),
                      [user](const Member& member) { return member.user == user; });
}

}  // namespace

const std::vector<Member>& Rooms::members(const RoomName& room) const {
  static const std::vector<Member> kNone;
  const auto found = members_by_room_.find(room);
  return found == members_by_room_.end() ? kNone : found->second;
}

const Member* Rooms::find(const RoomName& room, std::string_view user) const {
  const std::vector<Member>& all = members(room);
  const auto at = position(all, user);
  return at == all.end() ? nullptr : &*at;
}

bool Rooms::has(const RoomName& room, SessionKey session) const {
  const std::vector<Member>& all = members(room);
  return std::any_of(all.begin(), all.end(),
                     [session](const Member& member) { return member.session == session; });
}

bool Rooms::is_older(const RoomName& room, std::string_view one, std::string_view other) const {
  const std::vector<Member>& all = members(room);
  assert(find(room, one) != nullptr && find(room, other) != nullptr);
  return position(all, one) < position(all, other);
}

std::vector<RoomName> Rooms::of_session(std::string_view user, SessionKey session) const {
  std::vector<RoomName> rooms;
  const auto found = rooms_by_user_.find(user);
  if (found == rooms_by_user_.end()) return rooms;
  std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(rooms),
               [&](const RoomName& room) { return has(room, session); });
  return rooms;
}

std::optional<ErrorCode> Rooms::refusal(const RoomName& room, std::string_view user) const {
  const std::vector<Member>& all = members(room);
  if (all.size() >= kMaxRoomMembers) return ErrorCode::room_full;
  const auto own = rooms_by_user_.find(user);
  const bool has_enough = own != rooms_by_user_.end() && own->second.size() >= settings_.max_rooms_per_user;
  const bool is_one_too_many = all.empty() && members_by_room_.size() >= settings_.max_rooms;
  if (has_enough || is_one_too_many) return ErrorCode::too_many_rooms;
  return std::nullopt;
}

void Rooms::add(const RoomName& room, Member member) {
  assert(!refusal(room, member.user) && find(room, member.user) == nullptr);
  rooms_by_user_[member.user].push_back(room);
  members_by_room_[room].push_back(std::move(member));
}

Member Rooms::remove(const RoomName& room, std::string_view user) {
  const auto found = members_by_room_.find(room);
  assert(found != members_by_room_.end());
  const auto at = found->second.begin() + (position(found->second, user) - found->second.cbegin());
  Member gone = std::move(*at);
  found->second.erase(at);
  if (found->second.empty()) members_by_room_.erase(found);
  const auto own = rooms_by_user_.find(gone.user);
  std::erase(own->second, room);
  if (own->second.empty()) rooms_by_user_.erase(own);
  return gone;
}

void Rooms::clear() {
  members_by_room_.clear();
  rooms_by_user_.clear();
}

std::optional<std::string> Rooms::broken_invariant() const {
  std::size_t memberships = 0;
  for (const auto& [room, all] : members_by_room_) {
    if (all.empty()) return room.text() + " is empty and still there";
    if (all.size() > kMaxRoomMembers) return room.text() + " has too many members";
    for (const Member& member : all) {
      const auto own = rooms_by_user_.find(member.user);
      const bool is_listed =
          own != rooms_by_user_.end() && std::count(own->second.begin(), own->second.end(), room) == 1;
      if (!is_listed) return room.text() + " is not in the list of " + member.user;
    }
    memberships += all.size();
  }
  for (const auto& [user, rooms] : rooms_by_user_) {
    if (rooms.empty() || rooms.size() > settings_.max_rooms_per_user)
      return user + " has a wrong number of rooms";
    memberships -= rooms.size();
  }
  if (memberships != 0) return "users list rooms that they are no members of";
  if (members_by_room_.size() > settings_.max_rooms) return "there are too many rooms";
  return std::nullopt;
}

}  // namespace offhook::call
