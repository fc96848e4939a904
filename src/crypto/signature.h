#pragma once
// Signatures of tokens (RFC 7518): HS256, RS256, ES256, EdDSA (Ed25519). A key knows its one algorithm, so a
// token can never choose how it is verified.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/redact.h"
#include "base/result.h"

namespace offhook::crypto {

enum class SignatureAlgorithm { hs256, rs256, es256, eddsa };
std::string_view name(SignatureAlgorithm algorithm);  // "HS256", "RS256", "ES256", "EdDSA"
std::optional<SignatureAlgorithm> signature_algorithm(std::string_view name);

enum class KeyError { unreadable, wrong_kind, too_weak };

class VerificationKey {
 public:
  // At least 32 bytes for HS256 (RFC 7518 section 3.2), otherwise too_weak.
  static Result<VerificationKey, KeyError> symmetric(const Secret& secret);
  // A PEM public key or certificate. The algorithm follows from the key: RSA (>= 2048 bits) RS256, P-256
  // ES256, Ed25519 EdDSA; any other is wrong_kind.
  static Result<VerificationKey, KeyError> from_pem(std::string_view pem);
  // The numbers of a JWK (RFC 7518 section 6): big-endian octets.
  static Result<VerificationKey, KeyError> from_rsa(Bytes modulus, Bytes exponent);
  static Result<VerificationKey, KeyError> from_p256(Bytes x, Bytes y);
  static Result<VerificationKey, KeyError> from_ed25519(Bytes x);

  SignatureAlgorithm algorithm() const { return algorithm_; }
  // `signature` as it stands in a JWS: for ES256 the 64 bytes R || S.
  bool verify(Bytes message, Bytes signature) const;

 private:
  VerificationKey() = default;
  static Result<VerificationKey, KeyError> from_pkey(void* pkey);

  SignatureAlgorithm algorithm_ = SignatureAlgorithm::hs256;
  Secret secret_;
  std::shared_ptr<void> pkey_;  // EVP_PKEY, immutable after construction
};

}  // namespace offhook::crypto
