#pragma once
// Who is this? Verifies the tokens by which an app's backend vouches for its users (RFC 7519, with the advice
// of RFC 8725): the key decides the algorithm, `kid` only looks up, nothing is believed before the signature
// is.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/redact.h"
#include "base/result.h"
#include "base/time.h"
#include "base/warm_path.h"
#include "core/credentials/revocations.h"
#include "crypto/signature.h"

namespace offhook::credentials {

// A user id goes into usernames, logs and every signalling message.
inline constexpr std::size_t kUserBytesLimit = 128;

enum class TokenError {
  too_long,
  malformed,  // not three parts of base64url, or header or claims are no JSON object, or have a duplicate
              // member
  critical_header,  // `crit`
  unknown_key,      // no key of that kid
  wrong_algorithm,  // alg is not the one of the key; "none" is no key's
  bad_signature,
  bad_claims,  // a registered claim of the wrong type
  no_expiry,   // exp is required
  expired,
  not_yet_valid,  // nbf
  wrong_issuer,
  wrong_audience,
  bad_subject,    // sub is required: 1 to 128 bytes, no control characters
  revoked,        // issued before the user was revoked, or without iat
  bad_warm_path,  // warm_path is a word that means nothing here
};
// "token_expired", "token_revoked" or "token_invalid": the codes of docs/protocol.md.
std::string_view code(TokenError error);
// Code and sentence, "token_invalid: the claim exp is missing". Fits a close frame, repeats nothing of the
// token.
std::string text(TokenError error);

struct TokenKey {
  std::string kid;  // empty: tried for tokens of any kid, or none
  crypto::VerificationKey key;
};

struct TokenPolicy {
  std::optional<std::string> issuer;    // if set, iss must equal it
  std::optional<std::string> audience;  // if set, aud must contain it
  std::chrono::seconds leeway{30};      // clocks of two machines; for exp and nbf
};

struct VerifiedToken {
  std::string user;  // sub
  std::string name;  // name, or empty
  UnixTime expiry;
  std::optional<WarmPath> warm_path;  // in place of the server's
};

// 1 to 128 bytes of UTF-8 without control characters and line separators.
bool valid_user(std::string_view user);

// A reload builds a new one.
class TokenVerifier {
 public:
  TokenVerifier(std::vector<TokenKey> keys, TokenPolicy policy);
  // Tokens that these cover are refused from now on. Borrowed; may change.
  void consult(const Revocations& revocations) { revocations_ = &revocations; }
  Result<VerifiedToken, TokenError> verify(std::string_view token, UnixTime now) const;

 private:
  Result<VerifiedToken, TokenError> judge(Bytes payload, UnixTime now) const;

  std::vector<TokenKey> keys_;
  TokenPolicy policy_;
  const Revocations* revocations_ = nullptr;
};

// A token for `user` (HS256), as a backend would make it: `offhook token`, --dev. ttl > 0.
std::string mint_token(const Secret& secret, std::string_view user, std::chrono::seconds ttl, UnixTime now);

// The token of `Authorization: Bearer …` (RFC 6750 section 2.1); nothing if the header is of another kind.
std::optional<std::string_view> bearer_token(std::string_view authorization);

}  // namespace offhook::credentials
