#include "io/net/packet_sender.h"

#include <utility>

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

PacketSender::PacketSender(Fd socket, std::size_t limit) : socket_(std::move(socket)), batch_(limit) {}

void PacketSender::add(const NextHop& hop, const Address& from, const Address& to, Bytes bytes,
                       std::size_t tag) {
  const std::size_t header_bytes = headers_.write(batch_.header(), hop, from, to, bytes);
  sockaddr_ll& link = batch_.destination().link;
  link = {};
  link.sll_family = AF_PACKET;
  link.sll_protocol = ethernet_type(to.family());
  link.sll_ifindex = hop.interface;
  batch_.add(header_bytes, sizeof link, bytes, tag);
}

}  // namespace offhook::io
