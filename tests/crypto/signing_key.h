#pragma once
// The private halves that the server never has: made with OpenSSL for one test.

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cassert>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace offhook::crypto {

class SigningKey {
 public:
  static SigningKey rsa(unsigned bits) { return SigningKey(EVP_RSA_gen(bits)); }
  static SigningKey ec(const char* group) { return SigningKey(EVP_EC_gen(group)); }
  static SigningKey ed25519() { return SigningKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }
  static SigningKey ed448() { return SigningKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448")); }

  std::string public_pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
    [[maybe_unused]] const int written = PEM_write_bio_PUBKEY(bio.get(), key_.get());
    assert(written == 1);
    char* at = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio.get(), &at));
    return std::string(at, size);
  }

  // A number of the public half, big-endian, in `size` bytes.
  Buffer number(const char* name, std::size_t size) const {
    BIGNUM* value = nullptr;
    [[maybe_unused]] const int got = EVP_PKEY_get_bn_param(key_.get(), name, &value);
    assert(got == 1);
    Buffer octets(size);
    BN_bn2binpad(value, octets.data(), static_cast<int>(size));
    BN_free(value);
    return octets;
  }
  Buffer raw_public() const {
    std::size_t size = 32;
    Buffer octets(size);
    EVP_PKEY_get_raw_public_key(key_.get(), octets.data(), &size);
    return octets;
  }

  // As OpenSSL gives it: for ECDSA in DER.
  Buffer sign(Bytes message, const EVP_MD* digest) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get());
    std::size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size());
    Buffer signature(size);
    EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size());
    signature.resize(size);
    return signature;
  }
  // R || S, as it stands in a JWS.
  Buffer sign_es256(Bytes message) const {
    const Buffer der = sign(message, EVP_sha256());
    const std::uint8_t* at = der.data();
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parts(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), &ECDSA_SIG_free);
    Buffer raw(64);
    BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), raw.data(), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), raw.data() + 32, 32);
    return raw;
  }
  EVP_PKEY* get() const { return key_.get(); }

 private:
  explicit SigningKey(EVP_PKEY* key) : key_(key, &EVP_PKEY_free) { assert(key != nullptr); }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

}  // namespace offhook::crypto
