#include "io/net/datagram_headers.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <cassert>
#include <cstring>

#include "base/internet_checksum.h"
#include "io/net/socket.h"
#include "io/net/socket_address.h"

namespace offhook::io {
namespace {

template <typename Header>
std::uint64_t sum_of(const Header& header) {
  return add_to_checksum(0, Bytes(reinterpret_cast<const std::uint8_t*>(&header), sizeof header));
}

void write_ipv4(std::uint8_t* space, const Address& from, const Address& to, std::size_t udp_bytes,
                const DatagramOptions& options) {
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof ip / 4;
  ip.tot_len = htons(static_cast<std::uint16_t>(sizeof ip + udp_bytes));
  ip.id = htons(options.identification);
  ip.ttl = options.hop_limit;
  ip.protocol = IPPROTO_UDP;
  std::memcpy(&ip.saddr, from.ip.octets().data(), sizeof ip.saddr);
  std::memcpy(&ip.daddr, to.ip.octets().data(), sizeof ip.daddr);
  ip.check = finish_checksum(sum_of(ip));
  std::memcpy(space, &ip, sizeof ip);
}

void write_ipv6(std::uint8_t* space, const Address& from, const Address& to, std::size_t udp_bytes,
                const DatagramOptions& options) {
  ip6_hdr ip{};
  ip.ip6_flow = htonl(6U << 28U);
  ip.ip6_plen = htons(static_cast<std::uint16_t>(udp_bytes));
  ip.ip6_nxt = IPPROTO_UDP;
  ip.ip6_hlim = options.hop_limit;
  std::memcpy(&ip.ip6_src, from.ip.octets().data(), sizeof ip.ip6_src);
  std::memcpy(&ip.ip6_dst, to.ip.octets().data(), sizeof ip.ip6_dst);
  std::memcpy(space, &ip, sizeof ip);
}

udphdr udp_header(const Address& from, const Address& to, Bytes payload) {
  udphdr udp{};
  udp.source = htons(from.port);
  udp.dest = htons(to.port);
  udp.len = htons(static_cast<std::uint16_t>(sizeof udp + payload.size()));
  // The pseudo-header (RFC 768, RFC 8200 section 8.1): addresses, protocol, and the length once more.
  std::uint64_t sum = sum_of(udp) + htons(IPPROTO_UDP) + udp.len;
  sum = add_to_checksum(sum, from.ip.octets());
  sum = add_to_checksum(sum, to.ip.octets());
  udp.check = finish_checksum(add_to_checksum(sum, payload));
  if (udp.check == 0) udp.check = 0xFFFF;  // 0 says that there is none
  return udp;
}

}  // namespace

std::size_t write_datagram_headers(MutableBytes space, const Address& from, const Address& to, Bytes payload,
                                   const DatagramOptions& options) {
  assert(space.size() >= kDatagramHeaderBytesLimit && from.family() == to.family());
  const std::size_t udp_bytes = kUdpHeaderBytes + payload.size();
  const bool is_v4 = to.ip.is_v4();
  (is_v4 ? write_ipv4 : write_ipv6)(space.data(), from, to, udp_bytes, options);
  const std::size_t ip_bytes = is_v4 ? sizeof(iphdr) : sizeof(ip6_hdr);
  const udphdr udp = udp_header(from, to, payload);
  std::memcpy(space.data() + ip_bytes, &udp, sizeof udp);
  return ip_bytes + sizeof udp;
}

std::uint8_t default_hop_limit(Family family) {
  constexpr std::uint8_t kAssigned = 64;  // RFC 1700
  const Socket socket(::socket(domain_of(family), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const bool is_v4 = family == Family::ipv4;
  int value = 0;
  socklen_t length = sizeof value;
  const int status = getsockopt(socket.get(), is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
                                is_v4 ? IP_TTL : IPV6_UNICAST_HOPS, &value, &length);
  return status == 0 && value > 0 && value < 256 ? static_cast<std::uint8_t>(value) : kAssigned;
}

}  // namespace offhook::io
