#pragma once
// Limits that RFC 8489 sets on attributes of text: USERNAME (section 14.3), ERROR-CODE's reason (14.8), REALM
// (14.9), NONCE (14.10), SOFTWARE (14.14).

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace offhook::stun {

inline constexpr std::size_t kUsernameBytesLimit = 508;   // "fewer than 509 bytes"
inline constexpr std::size_t kTextCharactersLimit = 127;  // "fewer than 128 characters"
// What 127 characters may take when they are read; what is written has at most 509 bytes.
inline constexpr std::size_t kTextReadBytesLimit = 763;
inline constexpr std::size_t kTextWrittenBytesLimit = 509;

// Unicode code points of `value`; nothing if it is no UTF-8 (RFC 3629: no overlong form, no surrogate).
std::optional<std::size_t> utf8_characters(Bytes value);

// `value` as text; nothing if it is no UTF-8 or beyond kTextCharactersLimit or kTextReadBytesLimit. Borrows.
std::optional<std::string_view> parse_text_value(Bytes value);

}  // namespace offhook::stun
