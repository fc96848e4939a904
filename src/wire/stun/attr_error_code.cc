#include "wire/stun/attr_error_code.h"

#include <array>
#include <cassert>

namespace offhook::stun {

std::optional<ErrorCodeValue> parse_error_code(Bytes value) {
  Reader reader(value);
  reader.skip(2);
  const unsigned error_class = reader.u8() & 0x07U;  // the bits before it are reserved, and ignored
  const unsigned number = reader.u8();
  const Bytes reason = reader.take_rest();
  if (!reader.ok() || error_class < 3 || error_class > 6 || number > 99) return std::nullopt;
  const auto text = parse_text_value(reason);
  if (!text) return std::nullopt;
  return ErrorCodeValue{static_cast<std::uint16_t>(error_class * 100 + number), *text};
}

void add_error_code(MessageBuilder& builder, const ErrorCodeValue& error) {
  assert(error.number >= 300 && error.number <= 699);
  assert(error.reason.size() <= kTextWrittenBytesLimit);
  std::array<std::uint8_t, 4 + kTextWrittenBytesLimit> value{};
  Writer writer(value);
  writer.u16(0);
  writer.u8(static_cast<std::uint8_t>(error.number / 100));
  writer.u8(static_cast<std::uint8_t>(error.number % 100));
  writer.text(error.reason);
  builder.add(AttributeType::error_code, writer.written());
}

void add_error_code(MessageBuilder& builder, ErrorCode code) {
  add_error_code(builder, ErrorCodeValue{static_cast<std::uint16_t>(code), reason_phrase(code)});
}

}  // namespace offhook::stun
