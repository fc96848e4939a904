#pragma once
// XOR-MAPPED-ADDRESS (RFC 8489 section 14.2); XOR-PEER-ADDRESS and XOR-RELAYED-ADDRESS (RFC 8656
// sections 18.3 and 18.5) have the same form.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |0 0 0 0 0 0 0 0|    Family     |         X-Port                |
//   |                X-Address (32 or 128 bits)                     |
//
// X-Port is the port XOR the upper half of the magic cookie; X-Address is the address XOR the magic cookie
// and, for IPv6, the transaction ID after it.

#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::stun {

// Nothing if the family is neither IPv4 nor IPv6 or the length is not that of the family. An IPv4-mapped IPv6
// address stays the IPv6 address that was sent.
std::optional<Address> parse_xor_address(Bytes value, const TransactionId& transaction_id);
// `type` is one of the three XOR-...-ADDRESS attributes.
void add_xor_address(MessageBuilder& builder, AttributeType type, const Address& address);

}  // namespace offhook::stun
