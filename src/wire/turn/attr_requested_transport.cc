#include "wire/turn/attr_requested_transport.h"

#include <array>

namespace offhook::turn {

std::optional<std::uint8_t> parse_requested_transport(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return value[0];
}

void add_requested_transport(stun::MessageBuilder& builder, std::uint8_t protocol) {
  builder.add(stun::AttributeType::requested_transport, std::array<std::uint8_t, 4>{protocol});
}

}  // namespace offhook::turn
