#pragma once
// ICMP (RFC 8656 section 18.13): an ICMP error that the peer's side answered with.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |  Reserved                     |  ICMP Type  |  ICMP Code      |
//   |                          Error Data                           |

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::turn {

struct Icmp {
  std::uint8_t type = 0;         // seven bits on the wire
  std::uint16_t code = 0;        // nine bits on the wire
  std::uint32_t error_data = 0;  // of a "too big" message: the MTU; otherwise zero
};

// Nothing if the length is not eight.
std::optional<Icmp> parse_icmp(Bytes value);
// `icmp.type` is at most 127 and `icmp.code` at most 511.
void add_icmp(stun::MessageBuilder& builder, const Icmp& icmp);

}  // namespace offhook::turn
