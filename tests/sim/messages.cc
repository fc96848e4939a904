#include "messages.h"

#include <array>
#include <utility>

#include "violation.h"

namespace offhook::sim {
namespace {

constexpr std::size_t kMaxText = std::size_t{64} * 1024;

constexpr std::array<std::pair<std::string_view, Said>, 13> kTypes = {{{"incoming", Said::incoming},
                                                                       {"ringing", Said::ringing},
                                                                       {"accepted", Said::accepted},
                                                                       {"offer", Said::offer},
                                                                       {"answer", Said::answer},
                                                                       {"ice-candidate", Said::candidate},
                                                                       {"restored", Said::restored},
                                                                       {"state", Said::state},
                                                                       {"taken", Said::taken},
                                                                       {"elsewhere", Said::elsewhere},
                                                                       {"place", Said::place},

                                                                       {"ended", Said::ended},
                                                                       {"error", Said::error}}};

json::Writer begin(std::string_view type, const std::string& call) {
  json::Writer out;
  out.begin_object().field("type", type).field("call", call);
  return out;
}

std::string finish(json::Writer& out) { return out.end_object().take().substr(1); }

void add_media(json::Writer& out) {
  out.key("media").begin_object().field("audio", true).field("video", true).end_object();
}

std::string_view type_of(Kind kind) {
  switch (kind) {
    case Kind::dial:
      return "dial";
    case Kind::ringing:
      return "ringing";
    case Kind::accept:
      return "accept";
    case Kind::reject:
      return "reject";
    case Kind::hangup:
      return "hangup";
    case Kind::offer:
      return "offer";
    case Kind::answer:
      return "answer";
    case Kind::candidate:
      return "ice-candidate";
    case Kind::connected:
      return "connected";
    case Kind::snapshot:
      return "snapshot";
    case Kind::state:
      return "state";
    case Kind::take:
      return "take";
    case Kind::elsewhere:
      return "elsewhere";
    case Kind::bye:
      return "bye";
  }
  return {};
}

ClientMessage description(Kind kind, const std::string& call, std::int64_t generation, const std::string& sdp,
                          bool fresh) {
  json::Writer out = begin(type_of(kind), call);
  out.field("generation", generation).field("sdp", sdp);
  if (fresh) out.field("fresh", true);
  return {kind, call, generation, fresh, finish(out)};
}

signal::MediaState parse_state(json::Fields& fields) {
  json::Fields media(fields.object("media"));
  signal::MediaState state;
  state.media = {media.boolean("audio"), media.boolean("video")};
  state.screen = media.boolean("screen");
  state.hold = fields.boolean("hold");
  require(media.ok(), "the server speaks the protocol", "media of a state");
  return state;
}

TakeableCall parse_takeable(json::Fields& fields) {
  TakeableCall call;
  call.call = fields.string("call", {.max = 64});
  call.peer = fields.string("peer", {.max = 128});
  call.as_caller = fields.string("role", {.max = 16}) == "caller";
  return call;
}

std::vector<TakeableCall> parse_elsewhere(json::Fields& fields) {
  std::vector<TakeableCall> calls;
  const json::Value list = fields.array("calls");
  for (std::size_t i = 0; i < list.size(); ++i) {
    json::Fields call(list.at(i));
    calls.push_back(parse_takeable(call));
  }
  return calls;
}

}  // namespace

ServerMessage parse_message(json::Fields& fields, std::string_view type, const std::string& text) {
  ServerMessage message;
  bool is_known = false;
  for (const auto& [known, said] : kTypes) {
    if (known != type) continue;
    message.said = said;
    is_known = true;
  }
  require(is_known, "the server speaks the protocol", text);
  message.seq = static_cast<std::uint64_t>(fields.integer("seq", 1, INT64_MAX));
  message.call = fields.optional_string("call", {.max = 64}).value_or("");
  message.from = fields.optional_string("from", {.max = 128}).value_or("");
  message.fresh = fields.optional_boolean("fresh").value_or(false);
  message.generation = fields.optional_integer("generation", 0, INT64_MAX).value_or(-1);
  switch (message.said) {
    case Said::incoming:
      message.age_ms = static_cast<std::uint64_t>(fields.integer("age_ms", 0, INT64_MAX));
      message.warm_path = parse_warm_path(fields.string("warm_path", {.max = 16})).value_or(WarmPath::direct);
      break;
    case Said::offer:
    case Said::answer:
      message.sdp = fields.string("sdp", {.max = kMaxText});
      break;
    case Said::candidate: {
      json::Fields candidate(fields.object("candidate"));
      message.candidate = candidate.string("candidate", {.min = 0, .max = kMaxText});
      message.ufrag = candidate.optional_string("usernameFragment", {.max = 256}).value_or("");
      break;
    }
    case Said::ended:
      message.reason = fields.string("reason", {.max = 64});
      break;
    case Said::error:
      message.reason = fields.string("code", {.max = 64});
      message.ref = static_cast<std::uint64_t>(fields.integer("ref", 1, INT64_MAX));
      break;
    case Said::state:
      message.state = parse_state(fields);
      break;
    case Said::taken:
      message.state = parse_state(fields);
      message.taken = parse_takeable(fields);
      break;
    case Said::place:
      message.to = fields.string("to", {.max = 128});
      message.age_ms = static_cast<std::uint64_t>(fields.integer("age_ms", 0, INT64_MAX));
      break;
    case Said::elsewhere:
      message.elsewhere = parse_elsewhere(fields);
      break;
    case Said::restored:
      require(message.generation >= 0, "the server speaks the protocol", text);
      break;
    case Said::ringing:
    case Said::accepted:
      break;
  }
  require_or_say(fields.ok(), "the server speaks the protocol",
                 [&] { return fields.problem().text() + " in " + text; });
  return message;
}

ClientMessage dial_message(const std::string& call, const std::string& to) {
  json::Writer out = begin("dial", call);
  out.field("to", to);
  add_media(out);
  return {Kind::dial, call, -1, false, finish(out)};
}

ClientMessage plain_message(Kind kind, const std::string& call) {
  json::Writer out = begin(type_of(kind), call);
  if (kind == Kind::accept || kind == Kind::take) add_media(out);
  return {kind, call, -1, false, finish(out)};
}

ClientMessage reason_message(Kind kind, const std::string& call, std::string_view reason) {
  json::Writer out = begin(type_of(kind), call);
  out.field("reason", reason);
  return {kind, call, -1, false, finish(out)};
}

ClientMessage offer_message(const std::string& call, std::int64_t generation, const std::string& sdp,
                            bool fresh) {
  return description(Kind::offer, call, generation, sdp, fresh);
}

ClientMessage answer_message(const std::string& call, std::int64_t generation, const std::string& sdp) {
  return description(Kind::answer, call, generation, sdp, false);
}

ClientMessage candidate_message(const std::string& call, std::int64_t generation,
                                const std::string& candidate, const std::string& ufrag) {
  json::Writer out = begin("ice-candidate", call);
  out.field("generation", generation).key("candidate").begin_object();
  out.field("candidate", candidate).field("sdpMid", "0").field("sdpMLineIndex", 0);
  if (!candidate.empty()) out.field("usernameFragment", ufrag);
  out.end_object();
  return {Kind::candidate, call, generation, false, finish(out)};
}

ClientMessage snapshot_message(const std::string& call, const std::string& peer, const Telling& telling,
                               std::int64_t generation, std::uint64_t age_ms, std::string_view reason) {
  json::Writer out = begin(type_of(Kind::snapshot), call);
  out.field("peer", peer).field("role", telling.is_caller ? "caller" : "callee");
  if (telling.is_over) {
    out.field("state", "ended").field("reason", reason).field("accepted", telling.was_answered);
  } else {
    out.field("state", telling.is_connected ? "connected" : telling.was_answered ? "accepted" : "ringing");
    add_media(out);
    out.field("age_ms", static_cast<std::int64_t>(age_ms));
    if (generation >= 0) out.field("generation", generation);
  }
  return {Kind::snapshot, call, -1, false, finish(out), telling};
}

ClientMessage state_message(const std::string& call, const signal::MediaState& state) {
  json::Writer out = begin(type_of(Kind::state), call);
  out.key("media").begin_object().field("audio", state.media.audio).field("video", state.media.video);
  out.field("screen", state.screen).end_object().field("hold", state.hold);
  return {Kind::state, call, -1, false, finish(out), {}};
}

ClientMessage elsewhere_message() { return {Kind::elsewhere, "", -1, false, R"("type":"elsewhere"})", {}}; }

ClientMessage bye_message() { return {Kind::bye, "", -1, false, R"("type":"bye"})", {}}; }

std::string_view foundation_of(std::string_view candidate) {
  const std::size_t colon = candidate.find(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view rest = candidate.substr(colon + 1);
  return rest.substr(0, rest.find(' '));
}

}  // namespace offhook::sim
