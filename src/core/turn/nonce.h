#pragma once
// Nonces without memory (RFC 8489 section 9.2, RFC 8656 section 5): a nonce carries the second of its making
// and a MAC over that second and the client's address, so any shard can check what any other made, and
// nothing is kept.
//
//   "obMatJos2" + 4 characters   nonce cookie: the security features
//   15 characters of base64url   24 bits of the second | 64 bits of HMAC-SHA256(nonce_key, second, client
//   address)

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/time.h"
#include "wire/stun/nonce_cookie.h"

namespace offhook::turn {

class Nonces {
 public:
  Nonces(const std::array<std::uint8_t, 32>& key, std::chrono::seconds lifetime)
      : key_(key), lifetime_(lifetime) {}

  std::string make(stun::SecurityFeatures features, const Address& client_address, Instant now) const;
  // False if it is no nonce of ours, was made for another address or other features, or is older than its
  // lifetime.
  bool valid(std::string_view nonce, stun::SecurityFeatures features, const Address& client_address,
             Instant now) const;

 private:
  std::string at_second(std::uint64_t second, stun::SecurityFeatures features,
                        const Address& client_address) const;

  std::array<std::uint8_t, 32> key_;
  std::chrono::seconds lifetime_;
};

}  // namespace offhook::turn
