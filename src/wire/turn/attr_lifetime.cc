#include "wire/turn/attr_lifetime.h"

#include <array>
#include <cassert>

namespace offhook::turn {

std::optional<std::chrono::seconds> parse_lifetime(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return std::chrono::seconds(Reader(value).u32());
}

void add_lifetime(stun::MessageBuilder& builder, std::chrono::seconds lifetime) {
  assert(lifetime.count() >= 0 && lifetime.count() <= UINT32_MAX);
  std::array<std::uint8_t, 4> value{};
  Writer(value).u32(static_cast<std::uint32_t>(lifetime.count()));
  builder.add(stun::AttributeType::lifetime, value);
}

}  // namespace offhook::turn
