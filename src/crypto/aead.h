#pragma once
// Keys from secrets, and authenticated encryption (RFC 5869, RFC 5116). Failure of the library here is out of
// memory: it ends the process.

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace offhook::crypto {

using Aes128Key = std::array<std::uint8_t, 16>;
using GcmNonce = std::array<std::uint8_t, 12>;
inline constexpr std::size_t kGcmTagBytes = 16;

// HKDF with SHA-256: extract and expand. `out` is at most 255 * 32 bytes.
void hkdf_sha256(Bytes salt, Bytes secret, Bytes info, MutableBytes out);

// AEAD_AES_128_GCM: the ciphertext and then the tag. A nonce is used once with a key.
Buffer aes128_gcm_seal(const Aes128Key& key, const GcmNonce& nonce, Bytes plaintext);

}  // namespace offhook::crypto
