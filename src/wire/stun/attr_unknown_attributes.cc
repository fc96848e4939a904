#include "wire/stun/attr_unknown_attributes.h"

#include <array>
#include <cassert>

namespace offhook::stun {

std::optional<std::vector<std::uint16_t>> parse_unknown_attributes(Bytes value) {
  if (value.size() % 2 != 0 || value.size() / 2 > kAttributesLimit) return std::nullopt;
  std::vector<std::uint16_t> types;
  types.reserve(value.size() / 2);
  Reader reader(value);
  while (!reader.at_end()) types.push_back(reader.u16());
  return types;
}

void add_unknown_attributes(MessageBuilder& builder, std::span<const std::uint16_t> types) {
  assert(types.size() <= kAttributesLimit);
  std::array<std::uint8_t, 2 * kAttributesLimit> value{};
  Writer writer(value);
  for (const std::uint16_t type : types) writer.u16(type);
  builder.add(AttributeType::unknown_attributes, writer.written());
}

}  // namespace offhook::stun
