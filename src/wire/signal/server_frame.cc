#include "wire/signal/server_frame.h"

#include <utility>

#include "wire/json/json.h"

namespace offhook::signal {
namespace {

std::int64_t json_number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

json::Writer begin(std::string_view type) {
  json::Writer out;
  out.begin_object().field("type", type);
  return out;
}

Body finish(json::Writer& out) { return {out.end_object().take()}; }

void write_media(json::Writer& out, Media media) {
  out.key("media").begin_object().field("audio", media.audio).field("video", media.video).end_object();
}

void write_state(json::Writer& out, const MediaState& state) {
  out.key("media").begin_object().field("audio", state.media.audio).field("video", state.media.video);
  out.field("screen", state.screen).end_object().field("hold", state.hold);
}

void write_takeable(json::Writer& out, const TakeableCall& call) {
  out.field("call", call.call.text()).field("peer", call.peer);
  out.field("role", call.as_caller ? "caller" : "callee");
  write_state(out, call.state);
}

Body description(std::string_view type, const CallId& call, std::string_view from, std::uint32_t generation,
                 std::string_view sdp, bool fresh) {
  json::Writer out = begin(type);
  out.field("call", call.text()).field("from", from).field("generation", std::int64_t{generation});
  out.field("sdp", sdp);
  if (fresh) out.field("fresh", true);
  return finish(out);
}

void write_optional(json::Writer& out, std::string_view key, const std::optional<std::string>& text) {
  if (text) {
    out.field(key, *text);
  } else {
    out.key(key).null();
  }
}

// `key` and `name` say what the refused message was about, where it is no call.
Body error_about(std::string_view key, std::string_view name_of_it, ErrorCode code, std::string_view message,
                 std::uint64_t ref, std::optional<std::uint64_t> retry_after_ms) {
  json::Writer out = begin("error");
  out.field("code", name(code)).field("message", message).field(key, name_of_it);
  out.field("ref", json_number(ref));
  if (retry_after_ms) out.field("retry_after_ms", json_number(*retry_after_ms));
  return finish(out);
}

}  // namespace

Body incoming(const CallId& call, std::string_view from, Media media, WarmPath warm_path,
              const std::optional<RoomName>& room) {
  json::Writer out = begin("incoming");
  out.field("call", call.text()).field("from", from);
  write_media(out, media);
  out.field("warm_path", name(warm_path));
  if (room) out.field("room", room->text());
  return finish(out);
}

Body ringing(const CallId& call) {
  json::Writer out = begin("ringing");
  out.field("call", call.text());
  return finish(out);
}

Body accepted(const CallId& call, Media media, bool fresh) {
  json::Writer out = begin("accepted");
  out.field("call", call.text());
  write_media(out, media);
  if (fresh) out.field("fresh", true);
  return finish(out);
}

Body offer(const CallId& call, std::string_view from, std::uint32_t generation, std::string_view sdp,
           bool fresh) {
  return description("offer", call, from, generation, sdp, fresh);
}

Body answer(const CallId& call, std::string_view from, std::uint32_t generation, std::string_view sdp) {
  return description("answer", call, from, generation, sdp, false);
}

Body ice_candidate(const CallId& call, std::string_view from, std::uint32_t generation,
                   const Candidate& candidate) {
  json::Writer out = begin("ice-candidate");
  out.field("call", call.text()).field("from", from).field("generation", std::int64_t{generation});
  out.key("candidate").begin_object().field("candidate", candidate.candidate);
  write_optional(out, "sdpMid", candidate.sdp_mid);
  if (candidate.sdp_m_line_index) {
    out.field("sdpMLineIndex", int{*candidate.sdp_m_line_index});
  } else {
    out.key("sdpMLineIndex").null();
  }
  write_optional(out, "usernameFragment", candidate.username_fragment);
  out.end_object();
  return finish(out);
}

Body restored(const CallId& call, std::uint32_t generation) {
  json::Writer out = begin("restored");
  out.field("call", call.text()).field("generation", std::int64_t{generation});
  return finish(out);
}

Body state(const CallId& call, std::string_view from, const MediaState& state) {
  json::Writer out = begin("state");
  out.field("call", call.text()).field("from", from);
  write_state(out, state);
  return finish(out);
}

Body taken(const TakeableCall& call, std::optional<std::uint32_t> generation) {
  json::Writer out = begin("taken");
  write_takeable(out, call);
  if (generation) out.field("generation", std::int64_t{*generation});
  return finish(out);
}

Body elsewhere(const std::vector<TakeableCall>& calls) {
  json::Writer out = begin("elsewhere");
  out.key("calls").begin_array();
  for (const TakeableCall& call : calls) {
    out.begin_object();
    write_takeable(out, call);
    out.end_object();
  }
  out.end_array();
  return finish(out);
}

Body ended(const CallId& call, EndReason reason, std::string_view verdict, bool retryable) {
  json::Writer out = begin("ended");
  out.field("call", call.text()).field("reason", name(reason)).field("verdict", verdict);
  out.field("retryable", retryable);
  return finish(out);
}

Body joined(const RoomName& room, std::string_view own_device, const std::vector<RoomMember>& members) {
  json::Writer out = begin("joined");
  out.field("room", room.text()).field("device", own_device);
  out.key("members").begin_array();
  for (const RoomMember& member : members) {
    out.begin_object().field("user", member.user).field("device", member.device).end_object();
  }
  out.end_array();
  return finish(out);
}

Body member_joined(const RoomName& room, const RoomMember& member) {
  json::Writer out = begin("member_joined");
  out.field("room", room.text()).field("user", member.user).field("device", member.device);
  return finish(out);
}

Body member_left(const RoomName& room, const RoomMember& member, EndReason reason) {
  json::Writer out = begin("member_left");
  out.field("room", room.text()).field("user", member.user).field("device", member.device);
  out.field("reason", name(reason));
  return finish(out);
}

Body left(const RoomName& room, EndReason reason, std::string_view verdict, bool retryable) {
  json::Writer out = begin("left");
  out.field("room", room.text()).field("reason", name(reason)).field("verdict", verdict);
  out.field("retryable", retryable);
  return finish(out);
}

Body blocked(std::string_view user) {
  json::Writer out = begin("blocked");
  out.field("user", user);
  return finish(out);
}

Body unblocked(std::string_view user) {
  json::Writer out = begin("unblocked");
  out.field("user", user);
  return finish(out);
}

Body place(const CallId& call, std::string_view to, Media media) {
  json::Writer out = begin("place");
  out.field("call", call.text()).field("to", to);
  write_media(out, media);
  return finish(out);
}

Body error(ErrorCode code, std::string_view message, const CallId* call, std::uint64_t ref,
           std::optional<std::uint64_t> retry_after_ms) {
  json::Writer out = begin("error");
  out.field("code", name(code)).field("message", message);
  if (call != nullptr) out.field("call", call->text());
  out.field("ref", json_number(ref));
  if (retry_after_ms) out.field("retry_after_ms", json_number(*retry_after_ms));
  return finish(out);
}

Body error_about_room(ErrorCode code, std::string_view message, const RoomName& room, std::uint64_t ref,
                      std::optional<std::uint64_t> retry_after_ms) {
  return error_about("room", room.text(), code, message, ref, retry_after_ms);
}

Body error_about_user(ErrorCode code, std::string_view message, std::string_view user, std::uint64_t ref,
                      std::optional<std::uint64_t> retry_after_ms) {
  return error_about("user", user, code, message, ref, retry_after_ms);
}

std::string numbered_frame(std::uint64_t seq, std::uint64_t ack, std::optional<std::uint64_t> age_ms,
                           const Body& body) {
  std::string text = "{\"seq\":" + std::to_string(seq) + ",\"ack\":" + std::to_string(ack) + ",";
  if (age_ms) text += "\"age_ms\":" + std::to_string(*age_ms) + ",";
  text.append(body.object, 1);  // without its opening brace
  return text;
}

std::string ack_frame(std::uint64_t ack) {
  json::Writer out = begin("ack");
  return out.field("ack", json_number(ack)).end_object().take();
}

std::string pong_frame() { return begin("pong").end_object().take(); }

std::string welcome_frame(const Welcome& welcome) {
  json::Writer out = begin("welcome");
  out.field("session", welcome.session).field("resume_token", welcome.resume_token.reveal());
  out.field("resumed", welcome.resumed).field("user", welcome.user).field("ack", json_number(welcome.ack));
  out.field("ping_interval_ms", json_number(welcome.ping_interval_ms));
  out.field("ring_timeout_ms", json_number(welcome.ring_timeout_ms));
  out.field("warm_path", name(welcome.warm_path));
  return out.end_object().take();
}

std::string credentials_frame(std::string_view ice_servers) {
  std::string text = R"({"type":"credentials",)";
  text += ice_servers.substr(1);  // without its opening brace
  return text;
}

}  // namespace offhook::signal
