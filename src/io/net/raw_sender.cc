#include "io/net/raw_sender.h"

#include <netinet/in.h>

#include <cassert>
#include <utility>

#include "io/net/datagram_headers.h"
#include "io/net/socket.h"

namespace offhook::io {
namespace {

// Routed as this address, as rules of the machine may have it.
bool bind_to(int fd, const Ip& local) {
  SocketAddress target{};
  const socklen_t length = to_socket_address({local, 0}, target);
  return bind(fd, &target.any, length) == 0;
}

void set_option(int fd, int level, int name, int value) {
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

void set_options(int fd, Family family) {
  const bool is_v4 = family == Family::ipv4;
  // As relay sockets: no path MTU is believed that anybody could forge.
  if (is_v4) set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  // A full queue of the interface is an error then, and not silence.
  set_option(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  // The least there is.
  set_option(fd, SOL_SOCKET, SO_RCVBUF, 1);
  // All ports together send through this socket: as much as a listener may hold.
  set_send_buffer(fd, kListenBufferBytes);
}

}  // namespace

std::optional<RawSender> RawSender::open(const Ip& local, std::size_t limit) {
  // IPPROTO_RAW: headers are ours. What it receives is of IP protocol 255, which nobody reads.
  Fd socket(::socket(domain_of(local.family()), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!socket || !bind_to(socket.get(), local)) return std::nullopt;
  set_options(socket.get(), local.family());
  return RawSender(local, std::move(socket), limit);
}

RawSender::RawSender(const Ip& local, Fd socket, std::size_t limit)
    : local_(local),
      socket_(std::move(socket)),
      hop_limit_(default_hop_limit(local.family())),
      batch_(limit) {}

void RawSender::add(std::uint16_t from_port, const Address& to, Bytes bytes, std::size_t tag) {
  assert(to.family() == local_.family());
  // Identification 0: the kernel finds one.
  const std::size_t header_bytes =
      write_datagram_headers(batch_.header(), {local_, from_port}, to, bytes, {.hop_limit = hop_limit_});
  const socklen_t to_bytes = to_socket_address({to.ip, 0}, batch_.destination().address);
  batch_.add(header_bytes, to_bytes, bytes, tag);
}

}  // namespace offhook::io
