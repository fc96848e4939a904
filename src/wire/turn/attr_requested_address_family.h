#pragma once
// REQUESTED-ADDRESS-FAMILY (RFC 8656 section 18.6): the family of the relayed address that the client wants.
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

// The family as sent: 1 and 2 are the values of Family, any other deserves error 440.
// Nothing if the length is not four.
std::optional<std::uint8_t> parse_requested_address_family(Bytes value);
void add_requested_address_family(stun::MessageBuilder& builder, Family family);

}  // namespace offhook::turn
