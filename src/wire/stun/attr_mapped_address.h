#pragma once
// MAPPED-ADDRESS (RFC 8489 section 14.1), for clients of RFC 3489; ALTERNATE-SERVER (section 14.15) has the
// same form.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |0 0 0 0 0 0 0 0|    Family     |           Port                |
//   |                Address (32 or 128 bits)                       |

#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::stun {

// Nothing if the family is neither IPv4 nor IPv6 or the length is not that of the family.
std::optional<Address> parse_mapped_address(Bytes value);
void add_mapped_address(MessageBuilder& builder, const Address& address);
void add_alternate_server(MessageBuilder& builder, const Address& address);

}  // namespace offhook::stun
