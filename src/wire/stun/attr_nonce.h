#pragma once
// NONCE (RFC 8489 section 14.10): UTF-8 text of at most 127 characters.

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "wire/stun/message.h"
#include "wire/stun/text_value.h"

namespace offhook::stun {

// Borrows from `value`. Nothing if it is no UTF-8, or more than kTextCharactersLimit characters.
std::optional<std::string_view> parse_nonce(Bytes value);
// `nonce` has at most kTextWrittenBytesLimit bytes.
void add_nonce(MessageBuilder& builder, std::string_view nonce);

}  // namespace offhook::stun
