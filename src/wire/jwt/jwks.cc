#include "wire/jwt/jwks.h"

#include <algorithm>

#include "crypto/base64.h"
#include "wire/json/json.h"

namespace offhook::jwt {
namespace {

using crypto::KeyError;
using crypto::VerificationKey;

// The longest member is the modulus of an RSA key: 16384 bits are 2731 letters.
constexpr json::StringLimits kMember{.min = 1, .max = 4096};

std::string_view sentence(KeyError error) {
  switch (error) {
    case KeyError::unreadable:
      return "its numbers are no key";
    case KeyError::wrong_kind:
      return "its kind is none of RSA, EC P-256, OKP Ed25519, oct";
    case KeyError::too_weak:
      return "it is too weak (RSA needs 2048 bits, oct 32 bytes)";
  }
  return "";
}

// The octets of a member; empty, and the key refused, if it is missing or no base64url.
Buffer octets(json::Fields& fields, std::string_view member) {
  auto decoded = crypto::base64url_decode(fields.string(member, kMember));
  if (!decoded) fields.refuse(member, "must be base64url");
  return decoded ? std::move(*decoded) : Buffer{};
}

Result<VerificationKey, KeyError> read_rsa(json::Fields& fields) {
  const Buffer modulus = octets(fields, "n");
  const Buffer exponent = octets(fields, "e");
  if (!fields.ok()) return fail(KeyError::unreadable);
  return VerificationKey::from_rsa(modulus, exponent);
}

Result<VerificationKey, KeyError> read_ec(json::Fields& fields) {
  if (fields.string("crv", kMember) != "P-256") return fail(KeyError::wrong_kind);
  const Buffer x = octets(fields, "x");
  const Buffer y = octets(fields, "y");
  if (!fields.ok()) return fail(KeyError::unreadable);
  return VerificationKey::from_p256(x, y);
}

Result<VerificationKey, KeyError> read_okp(json::Fields& fields) {
  if (fields.string("crv", kMember) != "Ed25519") return fail(KeyError::wrong_kind);
  const Buffer x = octets(fields, "x");
  if (!fields.ok()) return fail(KeyError::unreadable);
  return VerificationKey::from_ed25519(x);
}

Result<VerificationKey, KeyError> read_oct(json::Fields& fields) {
  const Buffer secret = octets(fields, "k");
  if (!fields.ok()) return fail(KeyError::unreadable);
  return VerificationKey::symmetric(Secret(to_string(secret)));
}

Result<VerificationKey, KeyError> read_key(json::Fields& fields) {
  const std::string_view kind = fields.string("kty", kMember);
  if (kind == "RSA") return read_rsa(fields);
  if (kind == "EC") return read_ec(fields);
  if (kind == "OKP") return read_okp(fields);
  if (kind == "oct") return read_oct(fields);
  return fail(KeyError::wrong_kind);
}

// The key, or why it cannot be used.
Result<Jwk, std::string> read_jwk(const json::Value& object) {
  json::Fields fields(object);
  const std::string kid(fields.optional_string("kid", {.min = 0, .max = 256}).value_or(""));
  const std::string_view use = fields.optional_string("use", kMember).value_or("sig");
  const auto alg = fields.optional_string("alg", kMember);
  if (fields.ok() && use != "sig") return fail(std::string("it is not for signatures (use)"));
  auto key = fields.ok() ? read_key(fields) : fail(KeyError::unreadable);
  if (!fields.ok()) return fail(fields.problem().text());
  if (!key) return fail(std::string(sentence(key.error())));
  if (alg && *alg != crypto::name(key->algorithm())) {
    return fail("its alg is not " + std::string(crypto::name(key->algorithm())) +
                ", the one for keys of its kind here");
  }
  return Jwk{kid, std::move(*key)};
}

}  // namespace

Result<KeySet, std::string> parse_jwks(std::string_view text) {
  const auto document = json::parse(text, {.max_bytes = kJwksBytesLimit, .max_depth = 8});
  if (!document) return fail("the key set is not JSON: " + document.error().text());
  const json::Value root = document->root();
  const bool alone = root.is_object() && !root.find("keys");
  const json::Value list = alone ? json::Value() : root.find("keys").value_or(json::Value());
  if (!alone && !list.is_array())
    return fail(std::string("the key set must be an object with an array \"keys\""));
  const std::size_t count = alone ? 1 : list.size();
  if (count > kJwksKeysLimit)
    return fail("the key set has more than " + std::to_string(kJwksKeysLimit) + " keys");

  KeySet set;
  for (std::size_t i = 0; i < count; ++i) {
    auto jwk = read_jwk(alone ? root : list.at(i));
    if (!jwk) {
      set.ignored.push_back("key " + std::to_string(i + 1) + " is ignored: " + jwk.error());
      continue;
    }
    const bool taken =
        !jwk->kid.empty() && std::any_of(set.keys.begin(), set.keys.end(),
                                         [&](const Jwk& other) { return other.kid == jwk->kid; });
    if (taken) return fail("key " + std::to_string(i + 1) + " has the kid of an earlier key");
    set.keys.push_back(std::move(*jwk));
  }
  if (!set.keys.empty()) return set;
  std::string reasons;
  for (const std::string& reason : set.ignored) reasons += "; " + reason;
  return fail("the key set has no key that can verify tokens" + reasons);
}

}  // namespace offhook::jwt
