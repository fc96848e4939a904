#pragma once
// The body of a Web Push message: RFC 8291 (who can read it) in the coding of RFC 8188 (how it is laid out),
// one record.
//
//    0                16        20  21             21+idlen
//   +------------------+---------+---+----------------+------------------------------+
//   |       salt       | rs 4096 |65 | sender's point | sealed: text, 0x02, tag      |
//   +------------------+---------+---+----------------+------------------------------+

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "crypto/p256.h"

namespace offhook::push {

// RFC 8291 section 4: push services take bodies of 4096 bytes, which leaves so much for the text.
inline constexpr std::size_t kMaxText = 3993;

using AuthSecret = std::array<std::uint8_t, 16>;
using Salt = std::array<std::uint8_t, 16>;

// The keys of a subscription, as its browser gave them.
struct Recipient {
  crypto::P256Point point{};
  AuthSecret auth{};
};

// `sender` and `salt` are fresh for each message. Preconditions: the recipient's point is on the curve, and
// `text` is at most kMaxText bytes.
Buffer encrypt(Bytes text, const Recipient& recipient, const crypto::P256Key& sender, const Salt& salt);

}  // namespace offhook::push
