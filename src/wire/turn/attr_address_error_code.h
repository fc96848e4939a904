#pragma once
// ADDRESS-ERROR-CODE (RFC 8656 section 18.12): why one of two requested families was not allocated.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |  Family       |    Reserved             |Class|     Number    |
//   |      Reason Phrase (variable)                                ..

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"
#include "wire/stun/message.h"
#include "wire/stun/text_value.h"

namespace offhook::turn {

struct AddressErrorCode {
  Family family = Family::ipv6;
  std::uint16_t number = 0;  // 300 to 699
  std::string_view reason;   // may be empty; borrows
};

// Nothing if the family is neither IPv4 nor IPv6, or for what makes stun::parse_error_code() refuse.
std::optional<AddressErrorCode> parse_address_error_code(Bytes value);
// `error.number` is 300 to 699; `error.reason` has at most stun::kTextWrittenBytesLimit bytes.
void add_address_error_code(stun::MessageBuilder& builder, const AddressErrorCode& error);

}  // namespace offhook::turn
