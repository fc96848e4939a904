#pragma once
// ERROR-CODE (RFC 8489 section 14.8).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |           Reserved, should be 0         |Class|     Number    |
//   |      Reason Phrase (variable)                                ..

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "wire/stun/message.h"
#include "wire/stun/text_value.h"

namespace offhook::stun {

struct ErrorCodeValue {
  std::uint16_t number = 0;  // 300 to 699: class times hundred plus number
  std::string_view reason;   // may be empty; borrows
};

// Nothing if it is shorter than four bytes, if the class is not 3 to 6 or the number above 99, or if the
// reason breaks the limits of text_value.h.
std::optional<ErrorCodeValue> parse_error_code(Bytes value);
// `error.number` is 300 to 699; `error.reason` has at most kTextWrittenBytesLimit bytes.
void add_error_code(MessageBuilder& builder, const ErrorCodeValue& error);
// With the reason phrase that the RFC prints.
void add_error_code(MessageBuilder& builder, ErrorCode code);

}  // namespace offhook::stun
