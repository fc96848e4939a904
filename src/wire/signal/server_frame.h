#pragma once
// Frames that the server sends. A numbered message is encoded once, when it is made, and put into a frame as
// often as it is sent: its number stays, the acknowledgement and the age in it are those of the moment.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/redact.h"
#include "base/warm_path.h"
#include "wire/signal/client_frame.h"
#include "wire/signal/types.h"

namespace offhook::signal {

// A message without `seq`, `ack` and `age_ms`: `{"type":"ringing","call":"c_…"}`.
struct Body {
  std::string object;
};

// `room`: that both are members of; the device answers by itself.
Body incoming(const CallId& call, std::string_view from, Media media, WarmPath warm_path,
              const std::optional<RoomName>& room = std::nullopt);
Body ringing(const CallId& call);
// `fresh`: another device than the one whose answer the caller has; a fresh offer is due.
Body accepted(const CallId& call, Media media, bool fresh);
Body offer(const CallId& call, std::string_view from, std::uint32_t generation, std::string_view sdp,
           bool fresh);
Body answer(const CallId& call, std::string_view from, std::uint32_t generation, std::string_view sdp);
Body ice_candidate(const CallId& call, std::string_view from, std::uint32_t generation,
                   const Candidate& candidate);
// After a restart of the server: both sides are known again, and this is the newest generation of either.
Body restored(const CallId& call, std::uint32_t generation);
// What the other side of the call sends now.
Body state(const CallId& call, std::string_view from, const MediaState& state);

// A call of a device's user, as another device of this user gets to know it.
struct TakeableCall {
  CallId call;
  std::string peer;  // the user at the other end
  bool as_caller = false;
  MediaState state;  // of the other end
};
// `generation`: the newest of the call; nothing before its first offer.
Body taken(const TakeableCall& call, std::optional<std::uint32_t> generation);
Body elsewhere(const std::vector<TakeableCall>& calls);

Body ended(const CallId& call, EndReason reason, std::string_view verdict, bool retryable);
// A member of a room, as the others get to know it. `device` is new with each join.
struct RoomMember {
  std::string_view user;
  std::string_view device;
};
// To whom has joined: it is `own_device`, and these were there before, oldest first. It dials them.
Body joined(const RoomName& room, std::string_view own_device, const std::vector<RoomMember>& members);
Body member_joined(const RoomName& room, const RoomMember& member);
Body member_left(const RoomName& room, const RoomMember& member, EndReason reason);
// To a member that is one no more, without having asked for it.
Body left(const RoomName& room, EndReason reason, std::string_view verdict, bool retryable);

// Answer `block` and `unblock`: so it is from now on.
Body blocked(std::string_view user);
Body unblocked(std::string_view user);

// The app's backend asks for a call: whoever makes it dials `to` as this call.
Body place(const CallId& call, std::string_view to, Media media);
// `retry_after_ms`: when the same may be said again, where that is known.
Body error(ErrorCode code, std::string_view message, const CallId* call, std::uint64_t ref,
           std::optional<std::uint64_t> retry_after_ms = std::nullopt);
Body error_about_room(ErrorCode code, std::string_view message, const RoomName& room, std::uint64_t ref,
                      std::optional<std::uint64_t> retry_after_ms);
Body error_about_user(ErrorCode code, std::string_view message, std::string_view user, std::uint64_t ref,
                      std::optional<std::uint64_t> retry_after_ms);

std::string numbered_frame(std::uint64_t seq, std::uint64_t ack, std::optional<std::uint64_t> age_ms,
                           const Body& body);
std::string ack_frame(std::uint64_t ack);
std::string pong_frame();

struct Welcome {
  std::string session;
  Secret resume_token;
  bool resumed = false;
  std::string user;
  std::uint64_t ack = 0;
  std::uint64_t ping_interval_ms = 0;
  std::uint64_t ring_timeout_ms = 0;
  WarmPath warm_path = WarmPath::relay;
};
std::string welcome_frame(const Welcome& welcome);

// `ice_servers` is an object: what GET /api/turn/credentials answers.
std::string credentials_frame(std::string_view ice_servers);

}  // namespace offhook::signal
