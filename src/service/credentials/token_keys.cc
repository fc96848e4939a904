#include "service/credentials/token_keys.h"

#include <algorithm>

#include "io/store/private_file.h"
#include "wire/jwt/jwks.h"

namespace offhook::service {
namespace {

using crypto::KeyError;
using crypto::VerificationKey;

std::string explain(const std::string& path, KeyError error) {
  switch (error) {
    case KeyError::unreadable:
      return path + " holds no key that can be read; it must be a PEM public key or certificate, or a secret";
    case KeyError::wrong_kind:
      return path + " holds a key of another kind; use RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA)";
    case KeyError::too_weak:
      return path +
             " holds a key that is too weak; RSA needs 2048 bits, a secret 32 bytes (openssl rand -hex 32)";
  }
  return path;
}

// A public key in a form that is not PEM must never become the secret that everybody knows: a secret is one
// line of printable letters that does not look like a key.
bool looks_like_a_secret(std::string_view body) {
  for (const char* foreign : {"{", "[", "ssh-", "ecdsa-", "sk-"}) {
    if (body.starts_with(foreign)) return false;
  }
  return std::all_of(body.begin(), body.end(), [](char letter) { return letter > 0x20 && letter < 0x7F; });
}

Result<VerificationKey, std::string> load_key(const std::string& path) {
  const auto text = io::read_file(path);
  if (!text) return fail(text.error().message);
  std::string_view body = *text;
  const bool is_pem = body.find("-----BEGIN") != std::string_view::npos;
  if (is_pem && body.find("PRIVATE KEY") != std::string_view::npos) {
    return fail(path + " holds a private key; give the public one: openssl pkey -in " + path + " -pubout");
  }
  while (body.ends_with('\n') || body.ends_with('\r')) body.remove_suffix(1);
  if (!is_pem && !looks_like_a_secret(body)) {
    return fail(
        path +
        " is neither PEM nor a secret (one line of printable letters without spaces); a key set goes to "
        "--jwks, another form of key becomes PEM with openssl pkey -pubin -inform DER");
  }
  auto key = is_pem ? VerificationKey::from_pem(body) : VerificationKey::symmetric(Secret(std::string(body)));
  if (!key) return fail(explain(path, key.error()));
  return *key;
}

}  // namespace

Result<TokenKeys, std::string> load_token_keys(const TokenKeySources& sources, const Secret& own_secret) {
  std::vector<credentials::TokenKey> keys;
  std::vector<std::string> warnings;
  if (!sources.key_file.empty()) {
    auto key = load_key(sources.key_file);
    if (!key) return fail(key.error());
    keys.push_back({"", *key});
  }
  if (!sources.jwks_file.empty()) {
    const auto text = io::read_file(sources.jwks_file);
    if (!text) return fail(text.error().message);
    auto set = jwt::parse_jwks(*text);
    if (!set) return fail(sources.jwks_file + ": " + set.error());
    for (jwt::Jwk& jwk : set->keys) keys.push_back({jwk.kid, jwk.key});
    warnings = std::move(set->ignored);
  }
  if (keys.empty() || sources.accept_own_secret) {
    auto own = VerificationKey::symmetric(own_secret);
    if (!own) return fail(explain("token-secret in the state directory", own.error()));
    keys.push_back({"", *own});
  }
  credentials::TokenPolicy policy;
  if (!sources.issuer.empty()) policy.issuer = sources.issuer;
  if (!sources.audience.empty()) policy.audience = sources.audience;
  return TokenKeys{credentials::TokenVerifier(std::move(keys), policy), std::move(warnings)};
}

}  // namespace offhook::service
