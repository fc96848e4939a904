#include "crypto/base64.h"

#include <array>

namespace offhook::crypto {
namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(Bytes input, std::string_view alphabet, bool pad) {
  std::string text;
  text.reserve((input.size() + 2) / 3 * 4);
  std::uint32_t window = 0;
  unsigned bits = 0;
  for (const std::uint8_t byte : input) {
    window = (window << 8U) | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text.push_back(alphabet[(window >> bits) & 0x3FU]);
    }
  }
  if (bits > 0) text.push_back(alphabet[(window << (6 - bits)) & 0x3FU]);
  while (pad && text.size() % 4 != 0) text.push_back('=');
  return text;
}

std::optional<Buffer> decode(std::string_view text, std::string_view alphabet) {
  if (text.size() % 4 == 1) return std::nullopt;
  Buffer out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t window = 0;
  unsigned bits = 0;
  for (const char letter : text) {
    const std::size_t value = alphabet.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    window = (window << 6U) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<std::uint8_t>(window >> bits));
    }
  }
  const bool stray_bits = (window & ((1U << bits) - 1U)) != 0;
  if (stray_bits) return std::nullopt;
  return out;
}

}  // namespace

std::string base64_encode(Bytes input) { return encode(input, kStandard, true); }
std::string base64url_encode(Bytes input) { return encode(input, kUrl, false); }

std::optional<Buffer> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  return decode(text, kStandard);
}
std::optional<Buffer> base64url_decode(std::string_view text) { return decode(text, kUrl); }

}  // namespace offhook::crypto
