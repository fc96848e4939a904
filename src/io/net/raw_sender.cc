#include "io/net/raw_sender.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/net/internet_checksum.h"
#include "io/net/socket.h"

namespace offhook::io {
namespace {

// All ports together send through this socket: as much as a listener may hold.
constexpr int kSendBufferBytes = kListenBufferBytes;

std::uint8_t default_hop_limit(int fd, Family family) {
  int value = 0;
  socklen_t length = sizeof value;
  const bool known = family == Family::ipv4
                         ? getsockopt(fd, IPPROTO_IP, IP_TTL, &value, &length) == 0
                         : getsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &value, &length) == 0;
  return known && value > 0 && value < 256 ? static_cast<std::uint8_t>(value) : std::uint8_t{64};
}

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
  // The privileged form goes past net.core.wmem_max; without the privilege that holds.
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kSendBufferBytes);
  set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, kSendBufferBytes);
}

template <typename Header>
std::uint64_t sum_of(const Header& header) {
  return add_to_checksum(0, Bytes(reinterpret_cast<const std::uint8_t*>(&header), sizeof header));
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
      hop_limit_(default_hop_limit(socket_.get(), local.family())),
      local_sum_(add_to_checksum(0, local_.octets())),
      headers_(limit),
      parts_(limit),
      to_(limit),
      messages_(limit),
      tags_(limit) {}

void RawSender::add(std::uint16_t from_port, const Address& to, Bytes bytes, std::size_t tag) {
  assert(used_ < messages_.size() && to.family() == local_.family());
  const std::size_t at = used_++;
  const std::size_t udp_bytes = sizeof(udphdr) + bytes.size();
  Headers& headers = headers_[at];
  const std::size_t ip_bytes = local_.is_v4() ? write_ipv4(headers, to) : write_ipv6(headers, to, udp_bytes);

  udphdr udp{};
  udp.source = htons(from_port);
  udp.dest = htons(to.port);
  udp.len = htons(static_cast<std::uint16_t>(udp_bytes));
  // The pseudo-header (RFC 768, RFC 8200 section 8.1): addresses, protocol, and the length once more.
  std::uint64_t sum = local_sum_ + htons(IPPROTO_UDP) + udp.len + sum_of(udp);
  sum = add_to_checksum(sum, to.ip.octets());
  udp.check = finish_checksum(add_to_checksum(sum, bytes));
  if (udp.check == 0) udp.check = 0xFFFF;  // 0 says that there is none
  std::memcpy(headers.data() + ip_bytes, &udp, sizeof udp);

  // The kernel only reads; iovec serves both directions and so has no const.
  parts_[at] = {iovec{headers.data(), ip_bytes + sizeof udp},
                iovec{const_cast<std::uint8_t*>(bytes.data()), bytes.size()}};
  msghdr& message = messages_[at].msg_hdr;
  message = {};
  message.msg_name = &to_[at];
  message.msg_namelen = to_socket_address({to.ip, 0}, to_[at]);
  message.msg_iov = parts_[at].data();
  message.msg_iovlen = parts_[at].size();
  tags_[at] = tag;
}

// The kernel sets length, identification and checksum. Without DF, as relay sockets send.
std::size_t RawSender::write_ipv4(Headers& headers, const Address& to) const {
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof ip / 4;
  ip.ttl = hop_limit_;
  ip.protocol = IPPROTO_UDP;
  std::memcpy(&ip.saddr, local_.octets().data(), sizeof ip.saddr);
  std::memcpy(&ip.daddr, to.ip.octets().data(), sizeof ip.daddr);
  std::memcpy(headers.data(), &ip, sizeof ip);
  return sizeof ip;
}

std::size_t RawSender::write_ipv6(Headers& headers, const Address& to, std::size_t udp_bytes) const {
  ip6_hdr ip{};
  ip.ip6_flow = htonl(6U << 28U);
  ip.ip6_plen = htons(static_cast<std::uint16_t>(udp_bytes));
  ip.ip6_nxt = IPPROTO_UDP;
  ip.ip6_hlim = hop_limit_;
  std::memcpy(&ip.ip6_src, local_.octets().data(), sizeof ip.ip6_src);
  std::memcpy(&ip.ip6_dst, to.ip.octets().data(), sizeof ip.ip6_dst);
  std::memcpy(headers.data(), &ip, sizeof ip);
  return sizeof ip;
}

std::size_t RawSender::send_from(std::size_t first, bool& has_room) {
  const int sent = sendmmsg(socket_.get(), &messages_[first], static_cast<unsigned>(used_ - first),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) return static_cast<std::size_t>(sent);
  has_room = errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS;
  return 0;
}

}  // namespace offhook::io
