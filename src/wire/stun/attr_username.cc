#include "wire/stun/attr_username.h"

#include <cassert>

namespace offhook::stun {

std::optional<std::string_view> parse_username(Bytes value) {
  if (value.size() > kUsernameBytesLimit || !utf8_characters(value)) return std::nullopt;
  return as_text(value);
}

void add_username(MessageBuilder& builder, std::string_view username) {
  assert(username.size() <= kUsernameBytesLimit);
  builder.add(AttributeType::username, as_bytes(username));
}

}  // namespace offhook::stun
