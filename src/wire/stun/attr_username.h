#pragma once
// USERNAME (RFC 8489 section 14.3): UTF-8 text of at most 508 bytes.

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "wire/stun/message.h"
#include "wire/stun/text_value.h"

namespace offhook::stun {

// Borrows from `value`. Nothing if it is no UTF-8 or longer than kUsernameBytesLimit.
std::optional<std::string_view> parse_username(Bytes value);
// `username` has at most kUsernameBytesLimit bytes.
void add_username(MessageBuilder& builder, std::string_view username);

}  // namespace offhook::stun
