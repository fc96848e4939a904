#include "crypto/signature.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/openssl_free.h"

namespace offhook::crypto {
namespace {

constexpr int kRsaBitsLeast = 2048;
constexpr std::size_t kHmacKeyBytesLeast = 32;
constexpr std::size_t kP256ScalarBytes = 32;

using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;

Number number(Bytes octets) {
  return Number(BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr));
}

EVP_PKEY* key_from_params(const char* kind, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return key;
}

// JWS carries R || S; OpenSSL takes the DER form.
std::optional<Buffer> der_from_raw_ecdsa(Bytes raw) {
  if (raw.size() != 2 * kP256ScalarBytes) return std::nullopt;
  const EcdsaSignature signature(ECDSA_SIG_new());
  Number r = number(raw.first(kP256ScalarBytes));
  Number s = number(raw.subspan(kP256ScalarBytes));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return std::nullopt;
  (void)r.release();  // now owned by the signature
  (void)s.release();
  std::uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return std::nullopt;
  Buffer out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

std::string_view name(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::hs256:
      return "HS256";
    case SignatureAlgorithm::rs256:
      return "RS256";
    case SignatureAlgorithm::es256:
      return "ES256";
    case SignatureAlgorithm::eddsa:
      return "EdDSA";
  }
  return "";
}

std::optional<SignatureAlgorithm> signature_algorithm(std::string_view text) {
  for (const auto algorithm : {SignatureAlgorithm::hs256, SignatureAlgorithm::rs256,
                               SignatureAlgorithm::es256, SignatureAlgorithm::eddsa}) {
    if (name(algorithm) == text) return algorithm;
  }
  return std::nullopt;
}

Result<VerificationKey, KeyError> VerificationKey::symmetric(const Secret& secret) {
  if (secret.reveal().size() < kHmacKeyBytesLeast) return fail(KeyError::too_weak);
  VerificationKey key;
  key.secret_ = secret;
  return key;
}

Result<VerificationKey, KeyError> VerificationKey::from_pkey(void* raw) {
  auto* pkey = static_cast<EVP_PKEY*>(raw);
  if (pkey == nullptr) return fail(KeyError::unreadable);
  VerificationKey key;
  key.pkey_ =
      std::shared_ptr<void>(pkey, [](void* object) { EVP_PKEY_free(static_cast<EVP_PKEY*>(object)); });
  char group[32] = {};
  switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(pkey) < kRsaBitsLeast) return fail(KeyError::too_weak);
      key.algorithm_ = SignatureAlgorithm::rs256;
      return key;
    case EVP_PKEY_EC:
      if (EVP_PKEY_get_group_name(pkey, group, sizeof group, nullptr) != 1) return fail(KeyError::wrong_kind);
      if (std::string_view(group) != "prime256v1") return fail(KeyError::wrong_kind);
      key.algorithm_ = SignatureAlgorithm::es256;
      return key;
    case EVP_PKEY_ED25519:
      key.algorithm_ = SignatureAlgorithm::eddsa;
      return key;
    default:  // not an enum: OpenSSL knows many more kinds
      return fail(KeyError::wrong_kind);
  }
}

Result<VerificationKey, KeyError> VerificationKey::from_pem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (EVP_PKEY* key = PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr); key != nullptr)
    return from_pkey(key);
  const Bio again(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Certificate certificate(PEM_read_bio_X509(again.get(), nullptr, nullptr, nullptr));
  if (!certificate) return fail(KeyError::unreadable);
  return from_pkey(X509_get_pubkey(certificate.get()));
}

Result<VerificationKey, KeyError> VerificationKey::from_rsa(Bytes modulus, Bytes exponent) {
  // With an exponent of 1 anybody could sign; 3 is the least that anybody uses.
  const bool exponent_is_one_or_zero =
      std::all_of(exponent.begin(), exponent.end() - (exponent.empty() ? 0 : 1),
                  [](std::uint8_t byte) { return byte == 0; }) &&
      (exponent.empty() || exponent.back() <= 1);
  if (exponent_is_one_or_zero) return fail(KeyError::too_weak);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  const Number n = number(modulus);
  const Number e = number(exponent);
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return fail(KeyError::unreadable);
  }
  return from_pkey(key_from_params("RSA", builder.get()));
}

Result<VerificationKey, KeyError> VerificationKey::from_p256(Bytes x, Bytes y) {
  if (x.size() != kP256ScalarBytes || y.size() != kP256ScalarBytes) return fail(KeyError::unreadable);
  Buffer point{0x04};  // uncompressed form of SEC 1
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) !=
          1) {
    return fail(KeyError::unreadable);
  }
  return from_pkey(key_from_params("EC", builder.get()));
}

Result<VerificationKey, KeyError> VerificationKey::from_ed25519(Bytes x) {
  return from_pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, x.data(), x.size()));
}

bool VerificationKey::verify(Bytes message, Bytes signature) const {
  if (algorithm_ == SignatureAlgorithm::hs256) {
    return constant_time_equal(hmac_sha256(as_bytes(secret_.reveal()), message), signature);
  }
  Buffer der;
  if (algorithm_ == SignatureAlgorithm::es256) {
    auto converted = der_from_raw_ecdsa(signature);
    if (!converted) return false;
    der = std::move(*converted);
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  const EVP_MD* digest = algorithm_ == SignatureAlgorithm::eddsa ? nullptr : EVP_sha256();
  return context &&
         EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, static_cast<EVP_PKEY*>(pkey_.get())) ==
             1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

}  // namespace offhook::crypto
