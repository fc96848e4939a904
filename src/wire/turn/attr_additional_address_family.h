#pragma once
// ADDITIONAL-ADDRESS-FAMILY (RFC 8656 section 18.11): a second relayed address besides the IPv4 one.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |   Family      |            Reserved                           |

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::turn {

// The family as sent: 1 and 2 are the values of Family, any but 2 deserves error 400.
// Nothing if the length is not four.
std::optional<std::uint8_t> parse_additional_address_family(Bytes value);
void add_additional_address_family(stun::MessageBuilder& builder, Family family);

}  // namespace offhook::turn
