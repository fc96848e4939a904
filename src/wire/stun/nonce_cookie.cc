#include "wire/stun/nonce_cookie.h"

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "crypto/base64.h"

namespace offhook::stun {
namespace {

constexpr std::uint8_t kPasswordAlgorithms = 0x80;  // bit 0 of the 24
constexpr std::uint8_t kUsernameAnonymity = 0x40;   // bit 1

}  // namespace

std::string make_nonce_cookie(SecurityFeatures features) {
  std::array<std::uint8_t, 3> bits{};
  if (features.password_algorithms) bits[0] |= kPasswordAlgorithms;
  if (features.username_anonymity) bits[0] |= kUsernameAnonymity;
  return std::string(kNonceCookie) + crypto::base64_encode(bits);
}

std::optional<SecurityFeatures> parse_nonce_cookie(std::string_view nonce) {
  if (nonce.size() < kNonceCookieBytes || !nonce.starts_with(kNonceCookie)) return std::nullopt;
  const auto bits = crypto::base64_decode(nonce.substr(kNonceCookie.size(), 4));
  if (!bits || bits->size() != 3) return std::nullopt;
  const std::uint8_t first = bits->front();
  return SecurityFeatures{(first & kPasswordAlgorithms) != 0, (first & kUsernameAnonymity) != 0};
}

}  // namespace offhook::stun
