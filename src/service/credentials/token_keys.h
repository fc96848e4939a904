#pragma once
// Where the keys of tokens come from.

#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "core/credentials/token_verifier.h"

namespace offhook::service {

struct TokenKeySources {
  std::string key_file;   // PEM public key or certificate, or a secret of at least 32 bytes; empty: none
  std::string jwks_file;  // empty: none
  std::string issuer;     // empty: any
  std::string audience;   // empty: any
  // The server's own token secret is accepted if there is no other key, and always with --dev.
  bool accept_own_secret = false;
};

struct TokenKeys {
  credentials::TokenVerifier verifier;
  std::vector<std::string> warnings;  // keys of the set that cannot be used, a sentence each
};

// The error is a sentence for the operator.
Result<TokenKeys, std::string> load_token_keys(const TokenKeySources& sources, const Secret& own_secret);

}  // namespace offhook::service
