#include "io/net/packet_sender.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "io/net/datagram_headers.h"
#include "io/net/socket.h"

namespace offhook::io {
std::optional<PacketSender> PacketSender::open(std::size_t limit) {
  // Protocol 0: it receives nothing.
  Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return std::nullopt;
  // All ports together send through this socket: as much as a listener may hold.
  set_send_buffer(socket.get(), kListenBufferBytes);
  return PacketSender(std::move(socket), limit);
}

PacketSender::PacketSender(Fd socket, std::size_t limit)
    : socket_(std::move(socket)),
      hop_limit_ipv4_(default_hop_limit(Family::ipv4)),
      hop_limit_ipv6_(default_hop_limit(Family::ipv6)),
      batch_(limit) {}

void PacketSender::add(const NextHop& hop, const Address& from, const Address& to, Bytes bytes,
                       std::size_t tag) {
  const bool is_v4 = to.ip.is_v4();
  assert(datagram_header_bytes(to.family()) + bytes.size() <= hop.ip_bytes_limit);
  const std::uint16_t ethernet_type = htons(is_v4 ? ETH_P_IP : ETH_P_IPV6);
  MessageBatch::Header& header = batch_.header();
  std::ranges::copy(hop.ethernet, header.begin());
  std::memcpy(header.data() + hop.ethernet.size(), &ethernet_type, sizeof ethernet_type);
  const std::size_t ip_bytes = write_datagram_headers(
      MutableBytes(header).subspan(ETH_HLEN), from, to, bytes,
      {.hop_limit = is_v4 ? hop_limit_ipv4_ : hop_limit_ipv6_, .identification = hop.identification});
  sockaddr_ll& link = batch_.destination().link;
  link = {};
  link.sll_family = AF_PACKET;
  link.sll_protocol = ethernet_type;
  link.sll_ifindex = hop.interface;
  batch_.add(ETH_HLEN + ip_bytes, sizeof link, bytes, tag);
}

}  // namespace offhook::io
