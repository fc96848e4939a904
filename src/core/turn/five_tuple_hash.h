#pragma once
// The hash of the one lookup that every client packet pays for. Seeded, so that nobody can choose addresses
// that collide.

#include <cstdint>
#include <cstring>

#include "core/turn/types.h"

namespace offhook::turn {

struct FiveTupleHash {
  std::uint64_t seed = 0;

  std::size_t operator()(const FiveTuple& tuple) const noexcept {
    std::uint64_t state = seed ^ static_cast<std::uint64_t>(tuple.transport);
    state = with(state, tuple.client_address);
    return static_cast<std::size_t>(with(state, tuple.listen_address));
  }

 private:
  static std::uint64_t with(std::uint64_t state, const Address& address) {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    const Bytes octets = address.ip.octets();
    if (octets.size() == 4) {
      std::uint32_t ipv4 = 0;
      std::memcpy(&ipv4, octets.data(), 4);
      low = ipv4;
    } else {
      std::memcpy(&low, octets.data(), 8);
      std::memcpy(&high, octets.data() + 8, 8);
    }
    state = mixed(state ^ low, 0x9E3779B97F4A7C15ULL ^ (static_cast<std::uint64_t>(address.port) << 32U));
    return mixed(state ^ high, 0xD6E8FEB86659FD93ULL ^ octets.size());
  }
  // Both halves of a 128-bit product: every input bit reaches every output bit.
  static std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a ^ 0xA0761D6478BD642FULL) * (b | 1U);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  }
};

}  // namespace offhook::turn
