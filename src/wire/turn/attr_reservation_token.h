#pragma once
// RESERVATION-TOKEN (RFC 8656 section 18.10): eight bytes that name a reserved port.

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::turn {

using ReservationToken = std::array<std::uint8_t, 8>;

// Nothing if the length is not eight.
std::optional<ReservationToken> parse_reservation_token(Bytes value);
void add_reservation_token(stun::MessageBuilder& builder, const ReservationToken& token);

}  // namespace offhook::turn
