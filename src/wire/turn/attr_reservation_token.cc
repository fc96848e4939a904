#include "wire/turn/attr_reservation_token.h"

#include <algorithm>

namespace offhook::turn {

std::optional<ReservationToken> parse_reservation_token(Bytes value) {
  ReservationToken token{};
  if (value.size() != token.size()) return std::nullopt;
  std::copy(value.begin(), value.end(), token.begin());
  return token;
}

void add_reservation_token(stun::MessageBuilder& builder, const ReservationToken& token) {
  builder.add(stun::AttributeType::reservation_token, token);
}

}  // namespace offhook::turn
