#pragma once
// JSON Web Key sets (RFC 7517, RFC 7518 section 6, RFC 8037): the file in which an operator gives the keys of
// tokens.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/signature.h"

namespace offhook::jwt {

inline constexpr std::size_t kJwksBytesLimit = 256 * 1024;
// A set holds a handful of keys; each may be tried for a token without a kid.
inline constexpr std::size_t kJwksKeysLimit = 64;

struct Jwk {
  std::string kid;  // empty if absent
  crypto::VerificationKey key;
};

struct KeySet {
  std::vector<Jwk> keys;  // at least one
  std::vector<std::string>
      ignored;  // a sentence for each key that cannot verify tokens here (RFC 7517 section 5)
};

// `{"keys":[...]}`, or one key by itself. RSA (RS256), EC P-256 (ES256), OKP Ed25519 (EdDSA) and oct (HS256)
// are used; keys for encryption, of other kinds, too weak or damaged are ignored by name. The error is a
// sentence for the operator: not JSON, two keys with one kid, or no usable key at all.
Result<KeySet, std::string> parse_jwks(std::string_view text);

}  // namespace offhook::jwt
