#include "io/net/icmp_socket.h"

#include <netinet/icmp6.h>
// Before netinet/ip_icmp.h would be too early for its types.
#include <linux/icmp.h>

#include <cerrno>

#include "io/net/socket_address.h"

namespace offhook::io {
namespace {

// A few hundred messages. A flood of them is to be lost here.
constexpr int kReceiveBufferBytes = 256 * 1024;

// What a router or a peer says of a datagram that it did not deliver: RFC 792, RFC 4443 section 3.
bool set_filter(int fd, Family family) {
  if (family == Family::ipv4) {
    icmp_filter filter{};
    filter.data = ~(1U << ICMP_DEST_UNREACH | 1U << ICMP_TIME_EXCEEDED | 1U << ICMP_PARAMETERPROB);
    return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) == 0;
  }
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  for (const int type : {ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED, ICMP6_PARAM_PROB})
    ICMP6_FILTER_SETPASS(type, &filter);
  return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0;
}

}  // namespace

Result<Socket, int> open_icmp_socket(Family family, int filter_fd) {
  const int protocol = family == Family::ipv4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  Socket socket(::socket(domain_of(family), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!socket || !set_filter(socket.get(), family)) return fail(errno);
  if (setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_BPF, &filter_fd, sizeof filter_fd) != 0)
    return fail(errno);
  // The kernel takes any size, and cuts it to what it allows.
  (void)setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof kReceiveBufferBytes);
  return socket;
}

std::optional<Bytes> take_icmp_message(const Socket& socket, MutableBytes buffer) {
  const ssize_t bytes = recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (bytes < 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(bytes);
  return size > buffer.size() ? Bytes{} : Bytes(buffer).first(size);
}

}  // namespace offhook::io
