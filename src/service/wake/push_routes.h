#pragma once
// The HTTP side of push subscriptions.

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>

#include "core/credentials/token_verifier.h"
#include "io/http/http_server.h"
#include "service/wake/subscriptions.h"

namespace offhook::service {

// A user changes subscriptions once a second at most: each change waits for the disk, and so does everybody
// else then.
class ChangeLimit {
 public:
  static constexpr std::chrono::seconds kInterval{1};
  bool take(std::string_view user, Instant now);

 private:
  std::unordered_set<std::string> recent_;
  std::deque<std::pair<Instant, std::string>> by_age_;  // the same users, and when each may change again
};

class PushRoutes {
 public:
  // All borrowed; they must outlive this, and this the server's last request.
  PushRoutes(Subscriptions& subscriptions, const credentials::TokenVerifier& verifier, EndpointPolicy policy,
             std::string application_server_key);

  void add_to(io::HttpServer& server);
  std::uint64_t added() const { return added_; }

 private:
  // The token's user, or the refusal.
  Result<std::string, io::HttpResponse> user_of(const io::HttpRequest& request);
  io::HttpResponse add(const io::HttpRequest& request);
  io::HttpResponse remove(const io::HttpRequest& request);

  Subscriptions& subscriptions_;
  const credentials::TokenVerifier& verifier_;
  const EndpointPolicy policy_;
  const std::string key_;
  ChangeLimit limit_;
  std::uint64_t added_ = 0;
};

}  // namespace offhook::service
