#include "io/net/frame_headers.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "io/net/datagram_headers.h"

namespace offhook::io {

FrameHeaders::FrameHeaders()
    : hop_limit_ipv4_(default_hop_limit(Family::ipv4)), hop_limit_ipv6_(default_hop_limit(Family::ipv6)) {}

std::size_t FrameHeaders::write(MutableBytes space, const NextHop& hop, const Address& from,
                                const Address& to, Bytes payload) const {
  assert(datagram_header_bytes(to.family()) + payload.size() <= hop.ip_bytes_limit);
  const std::uint16_t type = ethernet_type(to.family());
  std::ranges::copy(hop.ethernet, space.begin());
  std::memcpy(space.data() + hop.ethernet.size(), &type, sizeof type);
  const std::uint8_t hop_limit = to.ip.is_v4() ? hop_limit_ipv4_ : hop_limit_ipv6_;
  return ETH_HLEN + write_datagram_headers(space.subspan(ETH_HLEN), from, to, payload,
                                           {.hop_limit = hop_limit, .identification = hop.identification});
}

std::uint16_t ethernet_type(Family family) { return htons(family == Family::ipv4 ? ETH_P_IP : ETH_P_IPV6); }

}  // namespace offhook::io
