#include "wire/turn/attr_dont_fragment.h"

namespace offhook::turn {

std::optional<DontFragment> parse_dont_fragment(Bytes value) {
  if (!value.empty()) return std::nullopt;
  return DontFragment{};
}

void add_dont_fragment(stun::MessageBuilder& builder, DontFragment) {
  builder.add(stun::AttributeType::dont_fragment, {});
}

}  // namespace offhook::turn
