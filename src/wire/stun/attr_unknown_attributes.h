#pragma once
// UNKNOWN-ATTRIBUTES (RFC 8489 section 14.13): the types that a 420 answer did not understand.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |      Attribute 1 Type         |       Attribute 2 Type        |
//   |      Attribute 3 Type         |       Attribute 4 Type       ...

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::stun {

// Nothing if the length is odd or the list longer than kAttributesLimit.
std::optional<std::vector<std::uint16_t>> parse_unknown_attributes(Bytes value);
// `types` has at most kAttributesLimit members, as no message that parses has more.
void add_unknown_attributes(MessageBuilder& builder, std::span<const std::uint16_t> types);

}  // namespace offhook::stun
