#pragma once
// ICMP errors about UDP datagrams (RFC 792, RFC 4443), as a raw socket hears them. They quote the beginning
// of the datagram that they are about:
//
//   IPv4: | IP header | type | code | checksum | rest | IP header, ports of the datagram ... |
//   IPv6:             | type | code | checksum | rest | IP header, ports of the datagram ... |

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"

namespace offhook::icmp {

struct DatagramError {
  Address from;  // who had sent the datagram
  Address to;
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  // The MTU of "fragmentation needed" and "packet too big"; of others 0.
  std::uint32_t mtu = 0;
};

// Nothing if it is no error, or about anything but a UDP datagram whose ports it quotes. Of ICMPv6 the kernel
// has checked the checksum, which takes the addresses of a header that the socket does not give.
std::optional<DatagramError> parse_datagram_error(Bytes message, Family family);

}  // namespace offhook::icmp
