#include "wire/turn/attr_even_port.h"

#include <array>
#include <cstdint>

namespace offhook::turn {

std::optional<EvenPort> parse_even_port(Bytes value) {
  if (value.size() != 1) return std::nullopt;
  return EvenPort{(value[0] & 0x80U) != 0};
}

void add_even_port(stun::MessageBuilder& builder, EvenPort even_port) {
  const std::uint8_t bits = even_port.reserve_next ? 0x80 : 0;
  builder.add(stun::AttributeType::even_port, std::array<std::uint8_t, 1>{bits});
}

}  // namespace offhook::turn
