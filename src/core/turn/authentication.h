#pragma once
// The long-term credential mechanism, server side (RFC 8489 section 9.2.4).
//
// Costs rise from check to check, so that a flood is answered cheaply: integrity attribute present (401), all
// attributes present and well-formed (400), password algorithms (400), nonce (438, one HMAC), and only then
// credentials (401). Nothing is remembered.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/turn/nonce.h"
#include "core/turn/owner.h"
#include "core/turn/ports.h"
#include "core/turn/settings.h"
#include "wire/stun/attr_password_algorithms.h"
#include "wire/stun/message.h"

namespace offhook::turn {

// Which integrity attribute protects a message. A request may choose; an answer carries
// MESSAGE-INTEGRITY-SHA256 unless the request named no password algorithm, as of RFC 5389
// (RFC 8489 section 9.2.4).
enum class Integrity : std::uint8_t { none, message_integrity, message_integrity_sha256 };

struct Authenticated {
  Owner owner;            // as the request proves it
  std::string user;       // whom quota counts; empty if is_owner, where the allocation knows it
  bool expired = false;   // an ephemeral username whose time is over: no new allocation
  bool is_owner = false;  // it is the owner of the allocation asked about
  Integrity answer_integrity = Integrity::none;
};

struct AuthenticationFailure {
  stun::ErrorCode code = stun::ErrorCode::unauthenticated;
  bool credentials_refused =
      false;  // a user or password was wrong, as opposed to the challenge that starts every session
};

class Authentication {
 public:
  // Borrows `credentials`.
  Authentication(const Settings& settings, const CredentialSource& credentials);

  // `owner` is that of the five-tuple's allocation, or null. Its stored key is tried first, so a live
  // allocation outlives the expiry of its user name and the rotation of the shared secret.
  Result<Authenticated, AuthenticationFailure> authenticate(const stun::Message& request,
                                                            const Address& client_address, const Owner* owner,
                                                            const Now& now) const;

  // REALM, NONCE and PASSWORD-ALGORITHMS of a 401 or 438 answer.
  void add_challenge(stun::MessageBuilder& answer, const Address& client_address, Instant now) const;

 private:
  struct Claim;
  Result<Authenticated, AuthenticationFailure> check_credentials(const stun::Message& request,
                                                                 const Claim& claim, const Owner* owner,
                                                                 UnixTime now) const;
  bool names(const Claim& claim, const std::string& username) const;
  LongTermKey key(PasswordAlgorithm algorithm, std::string_view username, std::string_view password) const;
  stun::SecurityFeatures features(Instant now) const;

  std::string realm_;
  Nonces nonces_;
  const CredentialSource& credentials_;
  // What credentials_ offered when last asked: it may take a lock that every shard takes, and a flood of
  // requests without credentials comes by here.
  mutable bool offers_userhash_ = false;
  mutable std::optional<Instant> features_asked_at_;
};

}  // namespace offhook::turn
