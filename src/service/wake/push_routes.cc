#include "service/wake/push_routes.h"

#include <spdlog/spdlog.h>

#include "wire/json/json.h"

namespace offhook::service {
namespace {

constexpr const char* kPath = "/api/push/subscriptions";

// An error whose sentence holds words of the client.
io::HttpResponse bad_subscription(std::string_view what) {
  json::Writer out;
  out.begin_object().key("error").begin_object();
  out.field("code", "bad_subscription").field("message", what).end_object().end_object();
  return {.status = 400, .body = out.take()};
}

io::HttpResponse disk_failed(const std::string& what) {
  spdlog::error("push subscriptions: {}", what);
  return io::error_response(500, "not_stored", "The server could not store it; its log says why.");
}

io::HttpResponse done() { return {.status = 204, .headers = {{"Cache-Control", "no-store"}}}; }

}  // namespace

bool ChangeLimit::take(std::string_view user, Instant now) {
  while (!by_age_.empty() && by_age_.front().first <= now) {
    recent_.erase(by_age_.front().second);
    by_age_.pop_front();
  }
  if (!recent_.emplace(user).second) return false;
  by_age_.emplace_back(now + kInterval, user);
  return true;
}

PushRoutes::PushRoutes(Subscriptions& subscriptions, const credentials::TokenVerifier& verifier,
                       EndpointPolicy policy, std::string application_server_key)
    : subscriptions_(subscriptions),
      verifier_(verifier),
      policy_(policy),
      key_(std::move(application_server_key)) {}

void PushRoutes::add_to(io::HttpServer& server) {
  server.route("GET", "/api/push/key", [this](const io::HttpRequest&) {
    json::Writer out;
    out.begin_object().field("key", key_).end_object();
    return io::HttpResponse{.body = out.take(), .headers = {{"Cache-Control", "no-store"}}};
  });
  server.route("POST", kPath, [this](const io::HttpRequest& request) { return add(request); });
  server.route("DELETE", kPath, [this](const io::HttpRequest& request) { return remove(request); });
}

Result<std::string, io::HttpResponse> PushRoutes::user_of(const io::HttpRequest& request) {
  const auto token = credentials::bearer_token(request.header("Authorization"));
  if (!token) {
    return fail(
        io::error_response(401, "token_missing", "send the header Authorization: Bearer and the token"));
  }
  const Now now = io::ControlLoop::now();
  const auto user = verifier_.verify(*token, now.wall);
  if (!user)
    return fail(io::error_response(401, credentials::code(user.error()), credentials::text(user.error())));
  if (!limit_.take(user->user, now.monotonic)) {
    io::HttpResponse refusal =
        io::error_response(429, "too_many_changes", "Subscriptions change once a second at most; try again.");
    refusal.headers.emplace_back("Retry-After", std::to_string(ChangeLimit::kInterval.count()));
    return fail(std::move(refusal));
  }
  return user->user;
}

io::HttpResponse PushRoutes::add(const io::HttpRequest& request) {
  const auto user = user_of(request);
  if (!user) return user.error();
  const auto subscription = parse_subscription(request.body, policy_);
  if (!subscription) return bad_subscription(subscription.error());
  if (const auto added = subscriptions_.add(*user, *subscription); !added) return disk_failed(added.error());
  added_ += 1;
  return done();
}

io::HttpResponse PushRoutes::remove(const io::HttpRequest& request) {
  const auto user = user_of(request);
  if (!user) return user.error();
  const auto endpoint = parse_endpoint(request.body);
  if (!endpoint) return bad_subscription(endpoint.error());
  if (const auto removed = subscriptions_.remove(*user, *endpoint); !removed)
    return disk_failed(removed.error());
  return done();
}

}  // namespace offhook::service
