#pragma once
// The REST interface for the app's backend (docs/api.md, GET /api/openapi.json). What it shows and does is
// done by others, by way of ApiActions. Everything runs on the control thread.
//
//   GET    /api/calls                        live calls and the last ones that are over, page by page
//   POST   /api/calls                        asks a user's devices to make a call
//   GET    /api/calls/{call}                 one call with its timeline and verdict; its two users may read
//   it POST   /api/calls/{call}/end             ends it GET    /api/users/{user}                 which
//   devices are online, and in a call GET    /api/users/{user}/blocks          whom the user has blocked,
//   page by page PUT    /api/users/{user}/blocks/{peer}   blocks one more, for the user DELETE
//   /api/users/{user}/blocks/{peer}   takes that back POST   /api/revocations                  signs a user
//   out everywhere GET    /api/openapi.json                 this interface, for programs

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/redact.h"
#include "core/call/record.h"
#include "core/credentials/token_verifier.h"
#include "io/http/http_server.h"

namespace offhook::service {

struct TokensRevoked {
  UnixTime at;
  bool survives_restart = false;
};

// None of them may be empty.
struct ApiActions {
  std::function<std::optional<call::CallRecord>(const signal::CallId& call)> record;
  std::function<call::CallPage(const call::CallQuery& query)> page;
  std::function<bool(const signal::CallId& call)> end_call;  // false: it does not live
  // Preconditions: both are users, and not the same.
  std::function<call::Placed(const std::string& caller, const std::string& callee, signal::Media media)>
      place_call;
  std::function<call::Presence(std::string_view user)> presence;
  // The first `limit` users after `after` whom the user has blocked.
  std::function<call::BlockPage(std::string_view user, std::string_view after, std::size_t limit)> blocks;
  // False if there is no room for one more. Preconditions: both are users, and not the same.
  std::function<bool(const std::string& by, const std::string& of)> block;
  std::function<void(const std::string& by, const std::string& of)> unblock;
  // Nothing if too many revocations are in force.
  std::function<std::optional<TokensRevoked>(std::string_view user)> revoke_tokens;
  std::function<call::Revoked(std::string_view user)> end_sessions;
  // Ends the user's allocations. False if the relay is too busy to take the order: asked again soon.
  std::function<bool(std::string_view user)> cut_relay;
};

class ApiService {
 public:
  // `loop` and `verifier` must outlive the service, the service the last request. `keys` are not empty.
  ApiService(io::ControlLoop& loop, const std::vector<Secret>& keys,
             const credentials::TokenVerifier& verifier, ApiActions actions);
  ~ApiService();
  ApiService(const ApiService&) = delete;
  ApiService& operator=(const ApiService&) = delete;

  void add_routes(io::HttpServer& server);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace offhook::service
