#pragma once
// Hashes and HMACs that STUN and the credentials need (RFC 8489 section 14.5 to 14.7, RFC 2104). The only
// user of OpenSSL's digests. Failure of the library here is out of memory: it ends the process.

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace offhook::crypto {

using Md5Digest = std::array<std::uint8_t, 16>;
using Sha1Digest = std::array<std::uint8_t, 20>;
using Sha256Digest = std::array<std::uint8_t, 32>;

Md5Digest md5(Bytes input);
Sha256Digest sha256(Bytes input);
Sha1Digest hmac_sha1(Bytes key, Bytes input);
Sha256Digest hmac_sha256(Bytes key, Bytes input);
// CRC-32 of ISO 3309 (the one of zlib and of FINGERPRINT).
std::uint32_t crc32(Bytes input);

// Compares in a time that depends on the sizes alone.
bool constant_time_equal(Bytes a, Bytes b);

}  // namespace offhook::crypto
