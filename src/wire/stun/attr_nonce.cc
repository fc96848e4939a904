#include "wire/stun/attr_nonce.h"

#include <cassert>

namespace offhook::stun {

std::optional<std::string_view> parse_nonce(Bytes value) { return parse_text_value(value); }

void add_nonce(MessageBuilder& builder, std::string_view nonce) {
  assert(nonce.size() <= kTextWrittenBytesLimit);
  builder.add(AttributeType::nonce, as_bytes(nonce));
}

}  // namespace offhook::stun
