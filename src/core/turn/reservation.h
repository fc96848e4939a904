#pragma once
// Ports reserved by EVEN-PORT with R (RFC 8656 section 7.2). The service holds the port; here is kept when to
// let go.

#include <cstdint>
#include <string>

#include "core/turn/types.h"

namespace offhook::turn {

// RFC 8656 section 7.2: at least 30 s.
inline constexpr std::chrono::seconds kReservationLifetime{30};
// A reserved port is outside its user's quota of allocations; a shard holds no more of them than this. Only
// clients of RTP without multiplexing ask for any.
inline constexpr std::size_t kReservationsLimit = 256;
// Of one user: an eighth, so that many calls of a gateway can start within the lifetime of a reservation, and
// nobody takes all of them.
inline constexpr std::size_t kUserReservationsLimit = 32;

struct Reservation {
  std::string user;  // whom kUserReservationsLimit counts
  ReservationToken token{};
  RelayId next_to;         // the relay whose opening reserves it
  bool is_pending = true;  // that relay is still being opened: no deadline yet
};

// The family of a reserved port travels in its token, for RESERVATION-TOKEN comes without
// REQUESTED-ADDRESS-FAMILY, and perhaps to a shard that did not make it.
inline ReservationToken token_for(Family family, ReservationToken random) {
  const unsigned bit = family == Family::ipv6 ? 1U : 0U;
  random[0] = static_cast<std::uint8_t>((random[0] & 0xFEU) | bit);
  return random;
}
inline Family family_of(const ReservationToken& token) {
  return (token[0] & 1U) == 0 ? Family::ipv4 : Family::ipv6;
}

}  // namespace offhook::turn
