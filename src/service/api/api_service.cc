#include "service/api/api_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/credentials/api_keys.h"
#include "service/api/api_json.h"
#include "service/api/openapi_document.h"
#include "service/api/wall_times.h"
#include "wire/json/json.h"

namespace offhook::service {
namespace {

using io::HttpRequest;
using io::HttpResponse;

// Of calls on a page. A full one is some 40 KiB.
constexpr std::size_t kPageLimit = 100;
constexpr std::size_t kPageDefault = 50;
// A user's name and room for what later versions of a client send.
constexpr std::size_t kBodyBytesLimit = 4096;
// Until a relay shard that was too busy for an order is asked again; they work theirs off in milliseconds.
constexpr std::chrono::milliseconds kRelayRetry{50};

HttpResponse json_response(unsigned status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

HttpResponse unknown_call() {
  return io::error_response(404, "unknown_call", "There is no such call, or it has been over for long.");
}

// Of "application/json; charset=utf-8" too.
bool is_json(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ')) type.pop_back();
  std::ranges::transform(type, type.begin(), [](unsigned char letter) {
    return static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + ('a' - 'A') : letter);
  });
  return type == "application/json";
}

// A JSON Web Token has two dots, and a key of the operator's is no JSON Web Token.
bool looks_like_token(std::string_view bearer) { return std::ranges::count(bearer, '.') == 2; }

Result<json::Document, HttpResponse> parse_body(const HttpRequest& request) {
  if (!is_json(request.header("Content-Type")))
    return fail(io::error_response(415, "unsupported_media_type", "send Content-Type: application/json"));
  auto document = json::parse(request.body, {.max_bytes = kBodyBytesLimit});
  if (!document)
    return fail(io::error_response(400, "bad_body", "the body is no JSON: " + document.error().text()));
  return std::move(*document);
}

std::string read_user(json::Fields& fields, std::string_view key) {
  std::string user(fields.string(key, {.max = credentials::kUserBytesLimit}));
  if (fields.ok() && !credentials::valid_user(user)) fields.refuse(key, "must be printable text");
  return user;
}

// A voice call, unless the body says something else.
signal::Media read_media(json::Fields& fields) {
  const auto object = fields.optional_object("media");
  if (!object) return {true, false};
  json::Fields media(*object);
  const signal::Media read{media.optional_boolean("audio").value_or(false),
                           media.optional_boolean("video").value_or(false)};
  if (!media.ok()) fields.refuse("media." + media.problem().field, media.problem().what);
  if (!read.audio && !read.video) fields.refuse("media", "must have audio or video");
  return read;
}

// How much there is on a page.
Result<std::size_t, HttpResponse> parse_limit(const HttpRequest& request) {
  const std::string_view text = request.query_value("limit");
  if (text.empty()) return kPageDefault;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  const bool is_number = error == std::errc{} && end == text.data() + text.size();
  if (!is_number || limit < 1 || limit > kPageLimit)
    return fail(io::error_response(400, "bad_limit", "limit must be a number from 1 to 100"));
  return limit;
}

HttpResponse bad_cursor() {
  return io::error_response(400, "bad_cursor", "cursor must be a next_cursor of this server");
}

HttpResponse bad_user() {
  return io::error_response(400, "bad_user", "a user is 1 to 128 bytes of printable text");
}

Result<call::CallQuery, HttpResponse> parse_query(const HttpRequest& request) {
  const auto limit = parse_limit(request);
  if (!limit) return fail(limit.error());
  call::CallQuery query{.limit = *limit};
  if (const std::string_view cursor = request.query_value("cursor"); !cursor.empty()) {
    query.before = parse_cursor(cursor);
    if (!query.before) return fail(bad_cursor());
  }
  if (const std::string_view state = request.query_value("state"); !state.empty()) {
    if (state != "live" && state != "ended")
      return fail(io::error_response(400, "bad_state", "state must be live or ended"));
    query.live = state == "live";
  }
  if (const std::string_view user = request.query_value("user"); !user.empty()) {
    if (!credentials::valid_user(user))
      return fail(io::error_response(400, "bad_user", "user must be 1 to 128 bytes of printable text"));
    query.user = user;
  }
  return query;
}

}  // namespace

class ApiService::Impl {
 public:
  Impl(io::ControlLoop& loop, const std::vector<Secret>& keys, const credentials::TokenVerifier& verifier,
       ApiActions actions)
      : keys_(keys),
        verifier_(verifier),
        actions_(std::move(actions)),
        wall_times_(io::ControlLoop::now()),
        relay_timer_(loop, [this] { cut_relay(); }) {}

  void add_routes(io::HttpServer& server) {
    using Handler = HttpResponse (Impl::*)(const HttpRequest&);
    const auto add = [&](const char* method, const char* path, Handler handler) {
      server.route(method, path, [this, handler](const HttpRequest& request) {
        const auto refusal = refuse_stranger(request);
        return refusal ? *refusal : (this->*handler)(request);
      });
    };
    add("GET", "/api/calls", &Impl::list_calls);
    add("POST", "/api/calls", &Impl::place_call);
    add("POST", "/api/calls/{call}/end", &Impl::end_call);
    add("GET", "/api/users/{user}", &Impl::show_user);
    add("GET", "/api/users/{user}/blocks", &Impl::list_blocks);
    add("PUT", "/api/users/{user}/blocks/{peer}", &Impl::block);
    add("DELETE", "/api/users/{user}/blocks/{peer}", &Impl::unblock);
    add("POST", "/api/revocations", &Impl::revoke);
    // Those that others than the backend may ask.
    server.route("GET", "/api/calls/{call}",
                 [this](const HttpRequest& request) { return show_call(request); });
    server.route("GET", "/api/openapi.json", [](const HttpRequest&) {
      HttpResponse response;
      response.body = std::string(openapi_document());
      return response;
    });
  }

 private:
  // Nothing for the backend.
  std::optional<HttpResponse> refuse_stranger(const HttpRequest& request) const {
    const auto bearer = credentials::bearer_token(request.header("Authorization"));
    if (!bearer)
      return io::error_response(401, "key_missing", "send the header Authorization: Bearer and an API key");
    if (keys_.contains(*bearer)) return std::nullopt;
    return io::error_response(401, "key_invalid", "this is no API key of this server");
  }

  HttpResponse list_calls(const HttpRequest& request) {
    const auto query = parse_query(request);
    if (!query) return query.error();
    const call::CallPage page = actions_.page(*query);
    const Now now = io::ControlLoop::now();
    CallsJson json;
    for (const call::CallRecord& record : page.calls)
      json.add(record, wall_times_.at(record.dialled_at, now));
    return json_response(200, json.finish(page.next_before));
  }

  HttpResponse show_call(const HttpRequest& request) {
    const auto view_of = viewer(request);
    if (!view_of) return view_of.error();
    const auto call = signal::CallId::parse(request.segments[2]);
    const auto record = call ? actions_.record(*call) : std::nullopt;
    // Whoever has no part in a call does not learn that there is one.
    const auto view = record ? (*view_of)(*record) : std::nullopt;
    return view ? shown(*record, *view) : unknown_call();
  }

  // How whoever asks may see a call: nothing if not at all.
  using ViewOf = std::function<std::optional<View>(const call::CallRecord& record)>;
  Result<ViewOf, HttpResponse> viewer(const HttpRequest& request) const {
    auto refusal = refuse_stranger(request);
    if (!refusal) return ViewOf([](const call::CallRecord&) { return View::backend; });
    const auto bearer = credentials::bearer_token(request.header("Authorization"));
    if (!bearer || !looks_like_token(*bearer)) return fail(std::move(*refusal));
    const auto token = verifier_.verify(*bearer, io::ControlLoop::now().wall);
    if (!token)
      return fail(
          io::error_response(401, credentials::code(token.error()), credentials::text(token.error())));
    return ViewOf([user = token->user](const call::CallRecord& record) -> std::optional<View> {
      if (record.caller == user) return View::caller;
      if (record.callee == user) return View::callee;
      return std::nullopt;
    });
  }

  HttpResponse shown(const call::CallRecord& record, View view) {
    const UnixTime dialled_at = wall_times_.at(record.dialled_at, io::ControlLoop::now());
    return json_response(200, call_json(record, dialled_at, view));
  }

  HttpResponse end_call(const HttpRequest& request) {
    const auto call = signal::CallId::parse(request.segments[2]);
    if (!call || !actions_.record(*call)) return unknown_call();
    if (!actions_.end_call(*call))
      return io::error_response(409, "call_is_over", "The call has ended before.");
    spdlog::info("the backend ended a call call={}", call->text());
    const auto over = actions_.record(*call);
    return over ? shown(*over, View::backend) : unknown_call();
  }

  HttpResponse show_user(const HttpRequest& request) {
    const std::string& user = request.segments[2];
    if (!credentials::valid_user(user)) return bad_user();
    return json_response(200, presence_json(user, actions_.presence(user)));
  }

  HttpResponse list_blocks(const HttpRequest& request) {
    const std::string& user = request.segments[2];
    if (!credentials::valid_user(user)) return bad_user();
    const auto limit = parse_limit(request);
    if (!limit) return limit.error();
    const std::string_view after = request.query_value("cursor");
    if (!after.empty() && !credentials::valid_user(after)) return bad_cursor();
    return json_response(200, blocks_json(user, actions_.blocks(user, after, *limit)));
  }

  // Who blocks, and who is blocked.
  static Result<std::pair<std::string, std::string>, HttpResponse> two_users(const HttpRequest& request) {
    const std::string& user = request.segments[2];
    const std::string& peer = request.segments[4];
    if (!credentials::valid_user(user) || !credentials::valid_user(peer)) return fail(bad_user());
    if (user == peer)
      return fail(io::error_response(400, "bad_user", "a user cannot be blocked by themselves"));
    return std::pair(user, peer);
  }

  HttpResponse block(const HttpRequest& request) {
    const auto users = two_users(request);
    if (!users) return users.error();
    const auto& [user, peer] = *users;
    if (!actions_.block(user, peer))
      return io::error_response(507, "too_many_blocks",
                                "the user has blocked as many as one may, or all users together have");
    return json_response(200, block_json(user, peer, true));
  }

  HttpResponse unblock(const HttpRequest& request) {
    const auto users = two_users(request);
    if (!users) return users.error();
    const auto& [user, peer] = *users;
    actions_.unblock(user, peer);
    return json_response(200, block_json(user, peer, false));
  }

  HttpResponse place_call(const HttpRequest& request) {
    const auto body = parse_body(request);
    if (!body) return body.error();
    json::Fields fields(body->root());
    const std::string caller = read_user(fields, "caller");
    const std::string callee = read_user(fields, "callee");
    const signal::Media media = read_media(fields);
    if (fields.ok() && caller == callee) fields.refuse("callee", "must be another user than caller");
    if (!fields.ok()) return io::error_response(400, "bad_body", fields.problem().text());
    const call::Placed placed = actions_.place_call(caller, callee, media);
    if (placed.is_blocked)
      return io::error_response(409, "blocked",
                                "One of the two has blocked the other; see /api/users/{user}/blocks.");
    if (placed.devices == 0)
      return io::error_response(409, "caller_offline",
                                "No device of the caller can be asked; see /api/users.");
    spdlog::info("the backend placed a call call={} devices={}", placed.call.text(), placed.devices);
    return json_response(202, placed_json(placed));
  }

  HttpResponse revoke(const HttpRequest& request) {
    const auto body = parse_body(request);
    if (!body) return body.error();
    json::Fields fields(body->root());
    const std::string user = read_user(fields, "user");
    if (!fields.ok()) return io::error_response(400, "bad_body", fields.problem().text());

    // Tokens first: a session that is closed comes back at once.
    const auto tokens = actions_.revoke_tokens(user);
    if (!tokens)
      return io::error_response(507, "too_many_revocations",
                                "too many users are revoked; rotate the keys instead");
    const call::Revoked revoked = actions_.end_sessions(user);
    if (std::ranges::find(to_cut_, user) == to_cut_.end()) to_cut_.push_back(user);
    cut_relay();
    spdlog::info("the backend revoked a user user={} sessions={} calls={}",
                 json::Writer().string(user).take(), revoked.sessions, revoked.calls);
    return json_response(201, revocation_json(user, tokens->at, tokens->survives_restart, revoked));
  }

  void cut_relay() {
    std::erase_if(to_cut_, [this](const std::string& user) { return actions_.cut_relay(user); });
    if (!to_cut_.empty()) relay_timer_.set(io::ControlLoop::now().monotonic + kRelayRetry);
  }

  const credentials::ApiKeys keys_;
  const credentials::TokenVerifier& verifier_;
  const ApiActions actions_;
  WallTimes wall_times_;
  std::vector<std::string> to_cut_;  // users whose allocations no order has reached yet
  io::ControlLoop::Timer relay_timer_;
};

ApiService::ApiService(io::ControlLoop& loop, const std::vector<Secret>& keys,
                       const credentials::TokenVerifier& verifier, ApiActions actions)
    : impl_(std::make_unique<Impl>(loop, keys, verifier, std::move(actions))) {}
ApiService::~ApiService() = default;

void ApiService::add_routes(io::HttpServer& server) { impl_->add_routes(server); }

}  // namespace offhook::service
