#include "wire/turn/attr_address_error_code.h"

#include <array>
#include <cassert>

#include "wire/stun/attr_error_code.h"

namespace offhook::turn {

std::optional<AddressErrorCode> parse_address_error_code(Bytes value) {
  // Class, number and reason stand where ERROR-CODE has them, and that reader ignores the bytes before.
  const auto error = stun::parse_error_code(value);
  if (!error) return std::nullopt;
  const std::uint8_t family = value[0];
  if (family == static_cast<std::uint8_t>(Family::ipv4))
    return AddressErrorCode{Family::ipv4, error->number, error->reason};
  if (family == static_cast<std::uint8_t>(Family::ipv6))
    return AddressErrorCode{Family::ipv6, error->number, error->reason};
  return std::nullopt;
}

void add_address_error_code(stun::MessageBuilder& builder, const AddressErrorCode& error) {
  assert(error.number >= 300 && error.number <= 699);
  assert(error.reason.size() <= stun::kTextWrittenBytesLimit);
  std::array<std::uint8_t, 4 + stun::kTextWrittenBytesLimit> value{};
  Writer writer(value);
  writer.u8(static_cast<std::uint8_t>(error.family));
  writer.u8(0);
  writer.u8(static_cast<std::uint8_t>(error.number / 100));
  writer.u8(static_cast<std::uint8_t>(error.number % 100));
  writer.text(error.reason);
  builder.add(stun::AttributeType::address_error_code, writer.written());
}

}  // namespace offhook::turn
