#include "wire/stun/attr_realm.h"

#include <cassert>

namespace offhook::stun {

std::optional<std::string_view> parse_realm(Bytes value) { return parse_text_value(value); }

void add_realm(MessageBuilder& builder, std::string_view realm) {
  assert(realm.size() <= kTextWrittenBytesLimit);
  builder.add(AttributeType::realm, as_bytes(realm));
}

}  // namespace offhook::stun
