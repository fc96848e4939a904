#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdlib>

namespace offhook::crypto {
namespace {

template <std::size_t Size>
std::array<std::uint8_t, Size> digest(const EVP_MD* kind, Bytes input) {
  std::array<std::uint8_t, Size> out{};
  unsigned size = 0;
  if (EVP_Digest(input.data(), input.size(), out.data(), &size, kind, nullptr) != 1 || size != Size)
    std::abort();
  return out;
}

template <std::size_t Size>
std::array<std::uint8_t, Size> hmac(const EVP_MD* kind, Bytes key, Bytes input) {
  static constexpr std::uint8_t kEmptyKey[1] = {0};  // OpenSSL takes a null key for "reuse the last one"
  std::array<std::uint8_t, Size> out{};
  unsigned size = 0;
  const std::uint8_t* key_at = key.empty() ? kEmptyKey : key.data();
  if (HMAC(kind, key_at, static_cast<int>(key.size()), input.data(), input.size(), out.data(), &size) ==
          nullptr ||
      size != Size) {
    std::abort();
  }
  return out;
}

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

Md5Digest md5(Bytes input) { return digest<16>(EVP_md5(), input); }
Sha256Digest sha256(Bytes input) { return digest<32>(EVP_sha256(), input); }
Sha1Digest hmac_sha1(Bytes key, Bytes input) { return hmac<20>(EVP_sha1(), key, input); }
Sha256Digest hmac_sha256(Bytes key, Bytes input) { return hmac<32>(EVP_sha256(), key, input); }

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
