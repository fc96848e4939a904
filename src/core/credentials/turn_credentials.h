#pragma once
// Time-limited TURN credentials (draft-uberti-behave-turn-rest-00, what coturn calls use-auth-secret), and
// static users.
//
//   username = expiry ":" user          expiry in seconds since 1970
//   password = base64(HMAC-SHA1(shared_secret, username))

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/redact.h"
#include "base/result.h"
#include "base/time.h"

namespace offhook::credentials {

struct TurnCredential {
  std::string username;
  std::string password;
  std::chrono::seconds ttl{};
};

struct EphemeralUsername {
  UnixTime expiry;
  std::string_view user;  // may be empty: "expiry" alone is a username too
};
// "expiry:user", or "user:expiry" as some tools write it; nothing if neither part is a number.
std::optional<EphemeralUsername> parse_ephemeral_username(std::string_view username);

// Everything that can vouch for a TURN user. Immutable once built: a reload builds a new one.
class TurnCredentials {
 public:
  using ExpiryByUser = std::map<std::string, UnixTime, std::less<>>;
  // `shared_secrets`: the first mints, all are accepted (rotation). `static_users`: username to password.
  // `refused`: time-limited credentials of these users that expire then or before are none.
  TurnCredentials(std::vector<Secret> shared_secrets, std::map<std::string, Secret, std::less<>> static_users,
                  ExpiryByUser refused = {});

  // Requires a shared secret. ttl > 0.
  TurnCredential mint(std::string_view user, std::chrono::seconds ttl, UnixTime now) const;

  struct Match {
    std::vector<Secret> passwords;  // newest first
    std::string user;               // whom quotas count
    bool expired = false;
  };
  std::optional<Match> find(std::string_view username, UnixTime now) const;
  const std::map<std::string, Secret, std::less<>>& static_users() const { return static_users_; }
  bool can_mint() const { return !shared_secrets_.empty(); }

 private:
  std::vector<Secret> shared_secrets_;
  std::map<std::string, Secret, std::less<>> static_users_;
  ExpiryByUser refused_;
};

}  // namespace offhook::credentials
