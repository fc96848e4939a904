#pragma once
// What the commands `offhook credentials` and `offhook token` do, without a running server: the same secrets,
// by way of the state directory.

#include <chrono>
#include <string>
#include <vector>

#include "base/redact.h"
#include "base/result.h"

namespace offhook::service {

struct MintRequest {
  std::string user;
  std::chrono::seconds ttl{3600};
  std::string state_dir;
  std::vector<Secret> shared_secrets;  // instead of the state directory's
  std::string host = "127.0.0.1";      // for the URIs
  std::uint16_t port = 3478;
  std::uint16_t tls_port = 0;  // 0: no turns: URI
  bool as_json = false;
};

struct Minted {
  std::string text;  // to print
  std::string note;  // what the person should know besides; may be empty
};

// The error is a sentence that says what is wrong and what to do.
Result<Minted, std::string> mint_turn_credential(const MintRequest& request);
Result<Minted, std::string> mint_user_token(const MintRequest& request);
Result<Minted, std::string> rotate_secrets(const std::string& state_dir);

}  // namespace offhook::service
