#pragma once
// Who is a member of which room (docs/protocol.md, "Rooms"). A user is a member once, with one device. Knows
// nothing of calls: what joining and leaving mean for them is in calls_rooms.cc.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/call/keys.h"
#include "core/call/settings.h"
#include "wire/signal/types.h"

namespace offhook::call {

// A room is a mesh: each member sends its media once to each other one. Three times a camera is what the
// upload of a home and the encoders of a phone bear.
inline constexpr std::size_t kMaxRoomMembers = 4;

struct Member {
  std::string user;
  SessionKey session;
  std::string device;  // "d_…", new with each join
};

class Rooms {
 public:
  // Borrowed; it must outlive this.
  explicit Rooms(const Settings& settings) : settings_(settings) {}

  // Oldest first; none if there is no such room.
  const std::vector<Member>& members(const signal::RoomName& room) const;
  const Member* find(const signal::RoomName& room, std::string_view user) const;
  bool has(const signal::RoomName& room, SessionKey session) const;
  // Whether `one` has joined before `other`. Precondition: both are members.
  bool is_older(const signal::RoomName& room, std::string_view one, std::string_view other) const;
  // In which `user` is a member with this session.
  std::vector<signal::RoomName> of_session(std::string_view user, SessionKey session) const;

  // Why a user who is no member cannot become one; nothing if they can.
  std::optional<signal::ErrorCode> refusal(const signal::RoomName& room, std::string_view user) const;
  // Precondition: refusal() says nothing, and the user is no member.
  void add(const signal::RoomName& room, Member member);
  // Precondition: the user is a member.
  Member remove(const signal::RoomName& room, std::string_view user);
  void clear();

  std::optional<std::string> broken_invariant() const;

 private:
  const Settings& settings_;
  std::map<signal::RoomName, std::vector<Member>> members_by_room_;
  std::map<std::string, std::vector<signal::RoomName>, std::less<>> rooms_by_user_;
};

}  // namespace offhook::call
