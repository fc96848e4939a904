#include "wire/turn/attr_additional_address_family.h"

#include <array>

namespace offhook::turn {

std::optional<std::uint8_t> parse_additional_address_family(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return value[0];
}

void add_additional_address_family(stun::MessageBuilder& builder, Family family) {
  builder.add(stun::AttributeType::additional_address_family,
              std::array<std::uint8_t, 4>{static_cast<std::uint8_t>(family)});
}

}  // namespace offhook::turn
