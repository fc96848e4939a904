#include "core/turn/nonce.h"

#include <algorithm>

#include "base/bytes.h"
#include "crypto/base64.h"
#include "crypto/digest.h"

namespace offhook::turn {
namespace {

constexpr std::size_t kMacBytes =
    8;  // forging one takes 2^63 tries and wins nothing but the right to guess a password
constexpr std::size_t kTimeBytes = 3;
constexpr std::uint64_t kTimeRange =
    1U << 24U;  // 194 days; the MAC covers the whole second, so a wrap is harmless

std::uint64_t second_of(Instant now) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

}  // namespace

std::string Nonces::make(stun::SecurityFeatures features, const Address& client_address, Instant now) const {
  return at_second(second_of(now), features, client_address);
}

bool Nonces::valid(std::string_view nonce, stun::SecurityFeatures features, const Address& client_address,
                   Instant now) const {
  if (nonce.size() < stun::kNonceCookieBytes) return false;
  const auto raw = crypto::base64url_decode(nonce.substr(stun::kNonceCookieBytes));
  if (!raw || raw->size() != kTimeBytes + kMacBytes) return false;
  const std::uint64_t low = (std::uint64_t{(*raw)[0]} << 16U) | (std::uint64_t{(*raw)[1]} << 8U) | (*raw)[2];
  const std::uint64_t present = second_of(now);
  const std::uint64_t age = (present - low) % kTimeRange;
  if (age > present || age > static_cast<std::uint64_t>(lifetime_.count())) return false;
  const std::string expected = at_second(present - age, features, client_address);
  return crypto::constant_time_equal(as_bytes(expected), as_bytes(nonce));
}

std::string Nonces::at_second(std::uint64_t second, stun::SecurityFeatures features,
                              const Address& client_address) const {
  std::array<std::uint8_t, 8 + 1 + 16 + 2> covered{};
  Writer input(covered);
  input.u64(second);
  input.u8(static_cast<std::uint8_t>(client_address.family()));
  input.bytes(client_address.ip.octets());
  input.u16(client_address.port);
  const crypto::Sha256Digest mac = crypto::hmac_sha256(key_, input.written());

  std::array<std::uint8_t, kTimeBytes + kMacBytes> raw{};
  Writer text(raw);
  text.u8(static_cast<std::uint8_t>((second >> 16U) & 0xFFU));
  text.u16(static_cast<std::uint16_t>(second & 0xFFFFU));
  text.bytes(Bytes(mac).first(kMacBytes));
  return stun::make_nonce_cookie(features) + crypto::base64url_encode(raw);
}

}  // namespace offhook::turn
