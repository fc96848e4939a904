#include "wire/stun/attr_userhash.h"

#include <algorithm>

namespace offhook::stun {

std::optional<Userhash> parse_userhash(Bytes value) {
  Userhash userhash{};
  if (value.size() != userhash.size()) return std::nullopt;
  std::copy(value.begin(), value.end(), userhash.begin());
  return userhash;
}

void add_userhash(MessageBuilder& builder, const Userhash& userhash) {
  builder.add(AttributeType::userhash, userhash);
}

}  // namespace offhook::stun
