#include "wire/turn/attr_icmp.h"

#include <array>
#include <cassert>

namespace offhook::turn {

std::optional<Icmp> parse_icmp(Bytes value) {
  if (value.size() != 8) return std::nullopt;
  Reader reader(value);
  reader.skip(2);
  const std::uint16_t type_and_code = reader.u16();
  return Icmp{static_cast<std::uint8_t>(type_and_code >> 9U),
              static_cast<std::uint16_t>(type_and_code & 0x1FFU), reader.u32()};
}

void add_icmp(stun::MessageBuilder& builder, const Icmp& icmp) {
  assert(icmp.type <= 0x7F && icmp.code <= 0x1FF);
  std::array<std::uint8_t, 8> value{};
  Writer writer(value);
  writer.u16(0);
  writer.u16(static_cast<std::uint16_t>((static_cast<unsigned>(icmp.type) << 9U) | icmp.code));
  writer.u32(icmp.error_data);
  builder.add(stun::AttributeType::icmp, value);
}

}  // namespace offhook::turn
