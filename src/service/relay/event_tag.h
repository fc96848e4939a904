#pragma once
// What a poller's event is about, in 64 bits. A serial tells an event of a descriptor closed in the same
// wake-up from one of its successor at the same index.
//
//   | kind: 4 bits | family: 1 | serial: 27 | index: 32 |

#include <cstdint>

#include "core/turn/types.h"

namespace offhook::relay {

enum class EventKind : std::uint8_t {
  mailbox,
  next_hops,
  udp_listener,
  tcp_listener,
  connection,
  relay,
  shared_receive,
  icmp_errors
};

inline constexpr std::uint32_t kSerialMask = (1U << 27U) - 1;

struct EventTag {
  EventKind kind{};
  Family family = Family::ipv4;
  std::uint32_t serial = 0;  // at most kSerialMask
  std::uint32_t index = 0;

  std::uint64_t pack() const {
    const std::uint64_t family_bit = family == Family::ipv6 ? 1 : 0;
    return static_cast<std::uint64_t>(kind) << 60U | family_bit << 59U |
           static_cast<std::uint64_t>(serial & kSerialMask) << 32U | index;
  }
  static EventTag unpack(std::uint64_t tag) {
    return {static_cast<EventKind>(tag >> 60U), (tag >> 59U & 1U) != 0 ? Family::ipv6 : Family::ipv4,
            static_cast<std::uint32_t>(tag >> 32U) & kSerialMask, static_cast<std::uint32_t>(tag)};
  }
};

}  // namespace offhook::relay
