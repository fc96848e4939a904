#pragma once
// The nonce cookie (RFC 8489 sections 9.2 and 18.1): a nonce that starts with "obMatJos2" and four characters
// of base64 tells the client, under the protection of MESSAGE-INTEGRITY, which security features the server
// has. That is what makes a removed PASSWORD-ALGORITHMS (a bid-down attack) visible.

#include <optional>
#include <string>
#include <string_view>

namespace offhook::stun {

inline constexpr std::string_view kNonceCookie = "obMatJos2";
inline constexpr std::size_t kNonceCookieBytes = 9 + 4;

// The bits that section 18.1 assigns: bit 0 is the leftmost of the 24.
struct SecurityFeatures {
  bool password_algorithms = false;  // bit 0
  bool username_anonymity = false;   // bit 1: USERHASH
  bool operator==(const SecurityFeatures&) const = default;
};

// The first kNonceCookieBytes characters of a nonce that announces `features`.
std::string make_nonce_cookie(SecurityFeatures features);
// Nothing if the nonce has no cookie, or its four characters are no base64. Bits that are not assigned are
// ignored.
std::optional<SecurityFeatures> parse_nonce_cookie(std::string_view nonce);

}  // namespace offhook::stun
