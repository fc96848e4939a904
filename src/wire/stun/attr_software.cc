#include "wire/stun/attr_software.h"

#include <cassert>

namespace offhook::stun {

std::optional<std::string_view> parse_software(Bytes value) { return parse_text_value(value); }

void add_software(MessageBuilder& builder, std::string_view software) {
  assert(software.size() <= kTextWrittenBytesLimit);
  builder.add(AttributeType::software, as_bytes(software));
}

}  // namespace offhook::stun
