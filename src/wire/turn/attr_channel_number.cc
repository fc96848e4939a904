#include "wire/turn/attr_channel_number.h"

#include <array>

namespace offhook::turn {

std::optional<std::uint16_t> parse_channel_number(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return Reader(value).u16();
}

void add_channel_number(stun::MessageBuilder& builder, std::uint16_t channel_number) {
  std::array<std::uint8_t, 4> value{};
  Writer(value).u16(channel_number);
  builder.add(stun::AttributeType::channel_number, value);
}

}  // namespace offhook::turn
