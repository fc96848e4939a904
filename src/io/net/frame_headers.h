#pragma once
// What is in front of a UDP datagram in an Ethernet frame of our own.

#include <cstddef>
#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"
#include "io/net/next_hops.h"

namespace offhook::io {

// Ethernet, IPv6 and UDP; those of IPv4 are shorter.
inline constexpr std::size_t kFrameHeaderBytesLimit = 62;

class FrameHeaders {
 public:
  // With the machine's hop limits as they are now.
  FrameHeaders();
  // Requires kFrameHeaderBytesLimit bytes of `space`, both addresses of one family, and a datagram that `hop`
  // takes whole. Returns how many it wrote. All checksums are final.
  std::size_t write(MutableBytes space, const NextHop& hop, const Address& from, const Address& to,
                    Bytes payload) const;

 private:
  std::uint8_t hop_limit_ipv4_;
  std::uint8_t hop_limit_ipv6_;
};

// In network order, as frames and sockaddr_ll(7) have it.
std::uint16_t ethernet_type(Family family);

}  // namespace offhook::io
