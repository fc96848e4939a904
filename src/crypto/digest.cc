#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "crypto/openssl_free.h"

namespace offhook::crypto {
namespace {

// OpenSSL looks an algorithm up by its name, and makes a context for it, each time that it is asked in one
// call; that takes three times as long as the hash. So both are kept: algorithms for good, a context a
// thread.

template <typename T>
T* required(T* object) {
  if (object == nullptr) std::abort();
  return object;
}

class Hash {
 public:
  explicit Hash(const char* name)
      : kind_(required(EVP_MD_fetch(nullptr, name, nullptr))), context_(required(EVP_MD_CTX_new())) {}

  void write(Bytes input, MutableBytes out) {
    unsigned size = 0;
    const bool done = EVP_DigestInit_ex2(context_.get(), kind_.get(), nullptr) == 1 &&
                      EVP_DigestUpdate(context_.get(), input.data(), input.size()) == 1 &&
                      EVP_DigestFinal_ex(context_.get(), out.data(), &size) == 1;
    if (!done || size != out.size()) std::abort();
  }

 private:
  std::unique_ptr<EVP_MD, Freer<EVP_MD_free>> kind_;
  std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>> context_;
};

class Hmac {
 public:
  explicit Hmac(const char* digest) {
    const std::unique_ptr<EVP_MAC, Freer<EVP_MAC_free>> kind(
        required(EVP_MAC_fetch(nullptr, "HMAC", nullptr)));
    context_.reset(required(EVP_MAC_CTX_new(kind.get())));
    std::string name(digest);
    const std::array<OSSL_PARAM, 2> parameters = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0), OSSL_PARAM_construct_end()};
    if (EVP_MAC_CTX_set_params(context_.get(), parameters.data()) != 1) std::abort();
  }

  void write(Bytes key, Bytes input, MutableBytes out) {
    static constexpr std::uint8_t kEmptyKey[1] = {0};  // OpenSSL takes a null key for "reuse the last one"
    const std::uint8_t* key_at = key.empty() ? kEmptyKey : key.data();
    std::size_t size = 0;
    const bool done = EVP_MAC_init(context_.get(), key_at, key.size(), nullptr) == 1 &&
                      EVP_MAC_update(context_.get(), input.data(), input.size()) == 1 &&
                      EVP_MAC_final(context_.get(), out.data(), &size, out.size()) == 1;
    if (!done || size != out.size()) std::abort();
  }

 private:
  std::unique_ptr<EVP_MAC_CTX, Freer<EVP_MAC_CTX_free>> context_;
};

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1U) : value >> 1U;
    table[i] = value;
  }
  return table;
}

}  // namespace

Md5Digest md5(Bytes input) {
  thread_local Hash hash("MD5");
  Md5Digest out;
  hash.write(input, out);
  return out;
}

Sha256Digest sha256(Bytes input) {
  thread_local Hash hash("SHA256");
  Sha256Digest out;
  hash.write(input, out);
  return out;
}

Sha1Digest hmac_sha1(Bytes key, Bytes input) {
  thread_local Hmac hmac("SHA1");
  Sha1Digest out;
  hmac.write(key, input, out);
  return out;
}

Sha256Digest hmac_sha256(Bytes key, Bytes input) {
  thread_local Hmac hmac("SHA256");
  Sha256Digest out;
  hmac.write(key, input, out);
  return out;
}

std::uint32_t crc32(Bytes input) {
  static constexpr std::array<std::uint32_t, 256> kTable = make_crc_table();
  std::uint32_t value = 0xFFFFFFFFU;
  for (const std::uint8_t byte : input) value = kTable[(value ^ byte) & 0xFFU] ^ (value >> 8U);
  return value ^ 0xFFFFFFFFU;
}

bool constant_time_equal(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace offhook::crypto
