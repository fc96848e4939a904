#include "wire/signal/client_frame.h"

#include <array>
#include <utility>

#include "wire/json/json.h"

namespace offhook::signal {
namespace {

using json::Fields;
using json::Value;

// Envelope and message are one flat object; the deepest thing in it is an object in that object.
constexpr std::size_t kMaxDepth = 8;
constexpr std::size_t kMaxKindOfCandidate = 64;

ParseError bad_message(const std::string& what) {
  // A close reason has at most 123 bytes (RFC 6455 section 5.5); field names are ours, so this holds anyway.
  return {"bad_message: " + what};
}

// The call id in `fields`; a stand-in where it is missing or wrong, in which case `fields` says so or
// `bad_id` is set.
struct CallField {
  std::optional<CallId> id;
  bool bad_id = false;
};

CallField read_call(Fields& fields) {
  const std::string_view text = fields.string("call", {.min = 0, .max = kMaxFrame});
  if (!fields.ok()) return {};
  const std::optional<CallId> id = CallId::parse(text);
  return {id, !id};
}

Media read_media(Fields& fields) {
  Fields media(fields.object("media"));
  const Media value{media.boolean("audio"), media.boolean("video")};
  if (fields.ok() && !media.ok()) fields.refuse("media." + media.problem().field, media.problem().what);
  return value;
}

std::uint32_t read_generation(Fields& fields) {
  return static_cast<std::uint32_t>(fields.integer("generation", 0, kMaxGeneration));
}

std::optional<std::string> owned(std::optional<std::string_view> text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}

std::string read_sdp(Fields& fields) { return std::string(fields.string("sdp", {.max = kMaxSdp})); }

Candidate read_candidate(Fields& fields) {
  const Value object = fields.object("candidate");
  if (!fields.ok()) return {};
  Fields inner(object);
  Candidate candidate;
  candidate.candidate = inner.string("candidate", {.min = 0, .max = kMaxCandidate});
  candidate.sdp_mid = owned(inner.optional_string("sdpMid", {.min = 0, .max = kMaxMid}));
  if (const auto index = inner.optional_integer("sdpMLineIndex", 0, UINT16_MAX)) {
    candidate.sdp_m_line_index = static_cast<std::uint16_t>(*index);
  }
  candidate.username_fragment =
      owned(inner.optional_string("usernameFragment", {.min = 0, .max = kMaxUfrag}));
  if (!inner.ok()) fields.refuse("candidate." + inner.problem().field, inner.problem().what);
  return candidate;
}

// One of `allowed` by its protocol name; the first where the field is absent.
template <std::size_t N>
EndReason read_reason(Fields& fields, const std::array<EndReason, N>& allowed) {
  const auto text = fields.optional_string("reason", {.max = kMaxFrame});
  if (!text) return allowed[0];
  std::string choices;
  for (const EndReason reason : allowed) {
    if (name(reason) == *text) return reason;
    choices += (choices.empty() ? "" : ", ") + std::string(name(reason));
  }
  fields.refuse("reason", "must be one of " + choices);
  return allowed[0];
}

constexpr std::array kRejectReasons = {EndReason::declined, EndReason::busy, EndReason::media_denied};
constexpr std::array kHangupReasons = {EndReason::hangup, EndReason::ice_failed, EndReason::ice_lost,
                                       EndReason::media_denied, EndReason::error};

constexpr const char* kRoomRule = "must be 1 to 64 letters, digits, '-', '_' or '.'";

std::optional<RoomName> read_optional_room(Fields& fields) {
  const auto text = fields.optional_string("room", {.min = 0, .max = kMaxFrame});
  if (!text) return std::nullopt;
  std::optional<RoomName> room = RoomName::parse(*text);
  if (!room) fields.refuse("room", kRoomRule);
  return room;
}

NumberedMessage read_dial(const CallId& call, Fields& fields) {
  Dial dial{call, std::string(fields.string("to", {.max = kMaxUser})), read_media(fields),
            read_optional_room(fields)};
  if (fields.ok() && !is_user(dial.to)) fields.refuse("to", "must have no control characters");
  return dial;
}

NumberedMessage read_connected(const CallId& call, Fields& fields) {
  Connected connected{call, std::nullopt, std::nullopt};
  if (const auto time = fields.optional_number("time_to_connect_ms", 0, UINT32_MAX)) {
    connected.time_to_connect_ms = static_cast<std::uint32_t>(*time);
  }
  const std::optional<Value> object = fields.optional_object("pair");
  if (!object) return connected;
  Fields pair(*object);
  const json::StringLimits limits{.min = 0, .max = kMaxKindOfCandidate};
  connected.pair =
      SelectedPair{std::string(pair.string("local", limits)), std::string(pair.string("remote", limits)),
                   std::string(pair.string("protocol", limits))};
  for (const std::string* text :
       {&connected.pair->local, &connected.pair->remote, &connected.pair->protocol}) {
    if (!text->empty() && !is_user(*text)) fields.refuse("pair", "must have no control characters");
  }
  if (!pair.ok()) fields.refuse("pair." + pair.problem().field, pair.problem().what);
  return connected;
}

// Any reason: the server, or the other side, may have given it.
EndReason read_end(Fields& fields) {
  const std::string_view text = fields.string("reason", {.max = kMaxFrame});
  for (std::size_t i = 0; i < kEndReasons; ++i) {
    if (name(static_cast<EndReason>(i)) == text) return static_cast<EndReason>(i);
  }
  fields.refuse("reason", "must be an end reason");
  return EndReason::error;
}

Snapshot::State read_state(Fields& fields) {
  const std::string_view text = fields.string("state", {.max = kMaxFrame});
  if (text == "ringing") return Snapshot::State::ringing;
  if (text == "accepted") return Snapshot::State::accepted;
  if (text == "connected") return Snapshot::State::connected;
  if (text != "ended") fields.refuse("state", "must be one of ringing, accepted, connected, ended");
  return Snapshot::State::ended;
}

NumberedMessage read_snapshot(const CallId& call, Fields& fields) {
  Snapshot snapshot{.call = call, .peer = std::string(fields.string("peer", {.max = kMaxUser}))};
  if (fields.ok() && !is_user(snapshot.peer)) fields.refuse("peer", "must have no control characters");
  const std::string_view role = fields.string("role", {.max = kMaxFrame});
  snapshot.is_caller = role == "caller";
  if (fields.ok() && !snapshot.is_caller && role != "callee") {
    fields.refuse("role", "must be one of caller, callee");
  }
  snapshot.state = read_state(fields);
  if (snapshot.state == Snapshot::State::ended) {
    snapshot.reason = read_end(fields);
    snapshot.was_accepted = fields.optional_boolean("accepted").value_or(false);
    return snapshot;
  }
  snapshot.room = read_optional_room(fields);
  snapshot.media = read_media(fields);
  if (const auto generation = fields.optional_integer("generation", 0, kMaxGeneration)) {
    snapshot.generation = static_cast<std::uint32_t>(*generation);
  }
  snapshot.age_ms = static_cast<std::uint64_t>(fields.optional_integer("age_ms", 0, UINT32_MAX).value_or(0));
  return snapshot;
}

NumberedMessage read_state_of_media(const CallId& call, Fields& fields) {
  State state{call, {read_media(fields), false, false}};
  if (!fields.ok()) return state;
  Fields media(fields.object("media"));
  state.state.screen = media.optional_boolean("screen").value_or(false);
  if (!media.ok()) fields.refuse("media." + media.problem().field, media.problem().what);
  state.state.hold = fields.optional_boolean("hold").value_or(false);
  return state;
}

// A message about a call, by its type; nullopt for a type that does not exist.
using ReadMessage = NumberedMessage (*)(const CallId& call, Fields& fields);
struct MessageType {
  std::string_view type;
  ReadMessage read;
};
constexpr std::array<MessageType, 12> kMessageTypes = {{
    {"dial", read_dial},
    {"ringing", [](const CallId& call, Fields&) -> NumberedMessage { return Ringing{call}; }},
    {"accept",
     [](const CallId& call, Fields& fields) -> NumberedMessage {
       return Accept{call, read_media(fields)};
     }},
    {"reject",
     [](const CallId& call, Fields& fields) -> NumberedMessage {
       return Reject{call, read_reason(fields, kRejectReasons),
                     fields.optional_boolean("here").value_or(false)};
     }},
    {"hangup",
     [](const CallId& call, Fields& fields) -> NumberedMessage {
       return Hangup{call, read_reason(fields, kHangupReasons)};
     }},
    {"offer",
     [](const CallId& call, Fields& fields) -> NumberedMessage {
       return Offer{call, read_generation(fields), read_sdp(fields),
                    fields.optional_boolean("fresh").value_or(false)};
     }},
    {"answer",
     [](const CallId& call, Fields& fields) -> NumberedMessage {
       return Answer{call, read_generation(fields), read_sdp(fields)};
     }},
    {"ice-candidate",
     [](const CallId& call, Fields& fields) -> NumberedMessage {
       return IceCandidate{call, read_generation(fields), read_candidate(fields)};
     }},
    {"connected", read_connected},
    {"snapshot", read_snapshot},
    {"state", read_state_of_media},
    {"take",
     [](const CallId& call, Fields& fields) -> NumberedMessage {
       return Take{call, read_media(fields)};
     }},
}};

// Becomes, or is no more, a member: `join` and `leave` have a room where other messages have a call.
template <typename Message>
NumberedMessage read_membership(Value root) {
  Fields fields(root);
  const auto room = RoomName::parse(fields.string("room", {.min = 0, .max = kMaxFrame}));
  if (fields.ok() && !room) fields.refuse("room", kRoomRule);
  if (!fields.ok()) return Refused{ErrorCode::bad_message, fields.problem().text(), std::nullopt};
  return Message{*room};
}

// `block` and `unblock` are about a user.
template <typename Message>
NumberedMessage read_about_user(Value root) {
  Fields fields(root);
  Message message{std::string(fields.string("user", {.max = kMaxUser}))};
  if (fields.ok() && !is_user(message.user)) fields.refuse("user", "must have no control characters");
  if (!fields.ok()) return Refused{ErrorCode::bad_message, fields.problem().text(), std::nullopt};
  return message;
}

NumberedMessage read_numbered(std::string_view type, Value root) {
  if (type == "bye") return Bye{};
  if (type == "elsewhere") return Elsewhere{};
  if (type == "join") return read_membership<Join>(root);
  if (type == "leave") return read_membership<Leave>(root);
  if (type == "block") return read_about_user<Block>(root);
  if (type == "unblock") return read_about_user<Unblock>(root);
  for (const MessageType& known : kMessageTypes) {
    if (known.type != type) continue;
    Fields fields(root);
    const CallField call = read_call(fields);
    if (call.bad_id) {
      return Refused{ErrorCode::bad_call_id, "call must be c_ and 22 to 62 letters of base64url",
                     std::nullopt};
    }
    if (!call.id) return Refused{ErrorCode::bad_message, fields.problem().text(), std::nullopt};
    NumberedMessage message = known.read(*call.id, fields);
    if (!fields.ok()) return Refused{ErrorCode::bad_message, fields.problem().text(), call.id};
    return message;
  }
  return Refused{ErrorCode::unknown_type, "there is no message of this type", std::nullopt};
}

std::optional<WarmPath> read_warm_path(Fields& fields) {
  const auto text = fields.optional_string("warm_path", {.min = 0, .max = kMaxFrame});
  if (!text) return std::nullopt;
  const auto warm_path = parse_warm_path(*text);
  if (!warm_path) fields.refuse("warm_path", "must be one of direct, relay, off");
  return warm_path;
}

Result<Hello, ParseError> read_hello(Value root) {
  Fields fields(root);
  const std::int64_t version = fields.integer("version", 0, INT32_MAX);
  if (fields.ok() && version != kVersion) {
    fields.refuse("version", "must be " + std::to_string(kVersion));
  }
  Hello hello{Secret(std::string(fields.string("token", {.max = kMaxToken}))), std::nullopt,
              read_warm_path(fields)};
  if (const std::optional<Value> object = fields.optional_object("resume")) {
    Fields resume(*object);
    hello.resume =
        Resume{std::string(resume.string("session", {.max = kMaxSessionId})),
               Secret(std::string(resume.string("resume_token", {.max = kMaxSessionId}))),
               static_cast<std::uint64_t>(resume.integer("ack", 0, kMaxSeq)),
               static_cast<std::uint64_t>(resume.optional_integer("attempt", 0, kMaxSeq).value_or(0))};
    if (!resume.ok()) fields.refuse("resume." + resume.problem().field, resume.problem().what);
  }
  if (!fields.ok()) return fail(bad_message(fields.problem().text()));
  return hello;
}

}  // namespace

Result<ClientFrame, ParseError> parse_client_frame(std::string_view text) {
  const auto document = json::parse(text, {.max_bytes = kMaxFrame, .max_depth = kMaxDepth});
  if (!document) return fail(bad_message("the frame " + document.error().text()));
  Fields fields(document->root());
  const std::string_view type = fields.string("type", {.max = kMaxFrame});
  ClientFrame frame;
  if (const auto ack = fields.optional_integer("ack", 0, kMaxSeq))
    frame.ack = static_cast<std::uint64_t>(*ack);
  if (!fields.ok()) return fail(bad_message(fields.problem().text()));

  if (type == "hello") {
    auto hello = read_hello(document->root());
    if (!hello) return fail(std::move(hello.error()));
    frame.content = std::move(*hello);
  } else if (type == "ping") {
    frame.content = Ping{};
  } else if (type == "pong") {
    frame.content = Pong{};
  } else if (type == "ack") {
    if (!frame.ack) return fail(bad_message("ack is missing"));
    frame.content = Ack{};
  } else {
    const auto seq = static_cast<std::uint64_t>(fields.integer("seq", 1, kMaxSeq));
    if (!fields.ok()) return fail(bad_message(fields.problem().text()));
    frame.content = Numbered{seq, read_numbered(type, document->root()), text.size()};
  }
  return frame;
}

}  // namespace offhook::signal
