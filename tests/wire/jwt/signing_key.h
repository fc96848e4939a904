#pragma once
// Keys made with OpenSSL in the test, and tokens signed with them as a backend would.

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "crypto/base64.h"

namespace offhook::testing {

inline std::string base64url(std::string_view text) { return crypto::base64url_encode(as_bytes(text)); }

class SigningKey {
 public:
  static SigningKey rsa(unsigned bits = 2048) { return SigningKey(EVP_RSA_gen(bits), "RS256"); }
  static SigningKey p256() { return SigningKey(EVP_EC_gen("P-256"), "ES256"); }
  static SigningKey ed25519() { return SigningKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), "EdDSA"); }

  std::string public_pem() const {
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PUBKEY(bio.get(), key_.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
  }

  // As OpenSSL makes it: for ECDSA the DER form.
  Buffer sign(std::string_view input) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    const EVP_MD* digest = alg_ == "EdDSA" ? nullptr : EVP_sha256();
    EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get());
    std::size_t size = 0;
    const Bytes bytes = as_bytes(input);
    EVP_DigestSign(context.get(), nullptr, &size, bytes.data(), bytes.size());
    Buffer signature(size);
    EVP_DigestSign(context.get(), signature.data(), &size, bytes.data(), bytes.size());
    signature.resize(size);
    return signature;
  }
  // As a JWS wants it: for ECDSA R || S.
  Buffer sign_jws(std::string_view input) const {
    const Buffer der = sign(input);
    if (alg_ != "ES256") return der;
    const std::uint8_t* at = der.data();
    const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> parsed(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), ECDSA_SIG_free);
    Buffer raw(64);
    BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), raw.data(), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), raw.data() + 32, 32);
    return raw;
  }

  // header.claims.signature with this key's alg; `more` are further header members, `,"kid":"a"`.
  std::string token(std::string_view claims, std::string_view more = "") const {
    const std::string input =
        base64url(R"({"alg":")" + alg_ + '"' + std::string(more) + "}") + "." + base64url(claims);
    return input + "." + crypto::base64url_encode(sign_jws(input));
  }

  // The key as a JWK; `more` are further members.
  std::string jwk(std::string_view more = "") const {
    std::string members;
    if (alg_ == "RS256") {
      members = R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
                number(OSSL_PKEY_PARAM_RSA_E) + '"';
    } else if (alg_ == "ES256") {
      members = R"("kty":"EC","crv":"P-256","x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, 32) + R"(","y":")" +
                number(OSSL_PKEY_PARAM_EC_PUB_Y, 32) + '"';
    } else {
      Buffer x(32);
      std::size_t size = x.size();
      EVP_PKEY_get_raw_public_key(key_.get(), x.data(), &size);
      members = R"("kty":"OKP","crv":"Ed25519","x":")" + crypto::base64url_encode(x) + '"';
    }
    return "{" + members + std::string(more) + "}";
  }

 private:
  SigningKey(EVP_PKEY* key, std::string alg) : key_(key, EVP_PKEY_free), alg_(std::move(alg)) {}

  std::string number(const char* parameter, int width = 0) const {
    BIGNUM* raw = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), parameter, &raw);
    const std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> value(raw, BN_free);
    Buffer octets(static_cast<std::size_t>(width > 0 ? width : BN_num_bytes(value.get())));
    BN_bn2binpad(value.get(), octets.data(), static_cast<int>(octets.size()));
    return crypto::base64url_encode(octets);
  }

  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
  std::string alg_;
};

}  // namespace offhook::testing
