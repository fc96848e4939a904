#include "io/net/socket.h"

// The error queue's record; before netinet/ip_icmp.h would be too early for its types.
#include <linux/types.h>
#include <time.h>
// clang-format off
#include <linux/errqueue.h>
// clang-format on
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <array>
#include <cerrno>
#include <string>

#include "io/net/socket_address.h"

namespace offhook::io {
namespace {

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// The privileged form goes past net.core.rmem_max; without the privilege the kernel's cap holds.
void set_buffer(int fd, int forced, int capped, int bytes) {
  if (!set_option(fd, SOL_SOCKET, forced, bytes)) (void)set_option(fd, SOL_SOCKET, capped, bytes);
}

// Returns 0 or an errno.
int bind_to(int fd, const Address& address) {
  SocketAddress target{};
  const socklen_t length = to_socket_address(address, target);
  return bind(fd, &target.any, length) == 0 ? 0 : errno;
}

Result<Socket, int> open_socket(Family family, int type) {
  Socket socket(::socket(domain_of(family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail(errno);
  if (family == Family::ipv6 && !set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) return fail(errno);
  return socket;
}

Result<Socket, int> open_listener(const Address& address, int type, PortSharing sharing) {
  auto socket = open_socket(address.family(), type);
  if (!socket) return socket;
  const int fd = socket->get();
  // TCP alone: a restart must not wait for the TIME_WAIT of old connections. On UDP it would let a second
  // server in.
  if (type == SOCK_STREAM && !set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return fail(errno);
  if (sharing == PortSharing::between_shards && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1))
    return fail(errno);
  if (type == SOCK_DGRAM) {
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, kListenBufferBytes);
    set_send_buffer(fd, kListenBufferBytes);
  }
  const int code = bind_to(fd, address);
  if (code != 0) return fail(code);
  if (type == SOCK_STREAM && listen(fd, kListenBacklog) != 0) return fail(errno);
  return socket;
}

bool set_path_mtu_discovery(int fd, Family family, int ipv4, int ipv6) {
  if (family == Family::ipv4) return set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, ipv4);
  return set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, ipv6);
}

// How a relay socket sends without DF. On IPv4 OMIT, not DONT: both clear DF, but under DONT the kernel
// throws "fragmentation needed" away before the error queue, and the client's DONT-FRAGMENT probe would hear
// nothing. OMIT queues it, and believes no path MTU that anybody could forge.
constexpr int kFragmentIpv4 = IP_PMTUDISC_OMIT;
constexpr int kFragmentIpv6 = IPV6_PMTUDISC_DONT;

}  // namespace

Result<Socket, SystemError> open_udp_listener(const Address& address, PortSharing sharing) {
  auto socket = open_listener(address, SOCK_DGRAM, sharing);
  if (!socket) return fail(system_error("listen on UDP " + address.text(), socket.error(), address.port));
  // Answers to clients are small; media to them must not stop at a path MTU that the kernel believes in.
  (void)set_path_mtu_discovery(socket->get(), address.family(), IP_PMTUDISC_DONT, IPV6_PMTUDISC_DONT);
  return std::move(*socket);
}

Result<Socket, SystemError> open_tcp_listener(const Address& address, PortSharing sharing) {
  auto socket = open_listener(address, SOCK_STREAM, sharing);
  if (!socket) return fail(system_error("listen on TCP " + address.text(), socket.error(), address.port));
  return std::move(*socket);
}

Result<Socket, int> open_relay_socket(const Address& address) {
  auto socket = open_socket(address.family(), SOCK_DGRAM);
  if (!socket) return socket;
  const int fd = socket->get();
  const bool ipv4 = address.family() == Family::ipv4;
  (void)set_path_mtu_discovery(fd, address.family(), kFragmentIpv4, kFragmentIpv6);
  (void)(ipv4 ? set_option(fd, IPPROTO_IP, IP_RECVERR, 1) : set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1));
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, kRelayReceiveBufferBytes);
  const int code = bind_to(fd, address);
  if (code != 0) return fail(code);
  return socket;
}

Result<Socket, int> open_shared_receiver(Family family) {
  auto socket = open_socket(family, SOCK_DGRAM);
  if (!socket) return socket;
  const int fd = socket->get();
  const bool ipv4 = family == Family::ipv4;
  // It never sends, but the kernel asks it whether to learn a path MTU that an ICMP error about one of its
  // ports tells.
  (void)set_path_mtu_discovery(fd, family, kFragmentIpv4, kFragmentIpv6);
  if (!(ipv4 ? set_option(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, 1)
             : set_option(fd, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1)))
    return fail(errno);
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, kListenBufferBytes);
  std::array<std::uint8_t, 16> loopback{};
  loopback.back() = 1;
  const int code = bind_to(fd, {ipv4 ? Ip::v4(INADDR_LOOPBACK) : Ip::v6(loopback), 0});
  if (code != 0) return fail(code);
  take_merged(*socket);
  return socket;
}

void set_send_buffer(int fd, int bytes) { set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, bytes); }

void take_merged(const Socket& socket) { (void)set_option(socket.get(), SOL_UDP, UDP_GRO, 1); }

bool set_dont_fragment(const Socket& socket, Family family, bool on) {
  // PROBE sets DF and still sends what is larger than the path MTU known so far: the client probes, not we.
  return set_path_mtu_discovery(socket.get(), family, on ? IP_PMTUDISC_PROBE : kFragmentIpv4,
                                on ? IPV6_PMTUDISC_PROBE : kFragmentIpv6);
}

Result<Accepted, int> accept_connection(const Socket& listener) {
  SocketAddress from{};
  socklen_t length = sizeof from;
  Socket socket(accept4(listener.get(), &from.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return fail(errno);
  const auto client_address = to_address(from);
  if (!client_address) return fail(EAFNOSUPPORT);
  send_promptly(socket.get());
  return Accepted{std::move(socket), *client_address};
}

void send_promptly(int fd) {
  (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  // Where every tenth packet is lost, the doubled wait held an answer back for 1.8 s.
  (void)set_option(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1);
}

bool limit_unsent(const Socket& socket, std::size_t bytes) {
  return set_option(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(bytes));
}

void acknowledge_together(const Socket& socket) {
  // A kernel that cannot goes on as before.
  (void)set_option(socket.get(), IPPROTO_TCP, TCP_QUICKACK, 0);
}

std::optional<Address> bound_address(const Socket& socket) {
  SocketAddress address{};
  socklen_t length = sizeof address;
  if (getsockname(socket.get(), &address.any, &length) != 0) return std::nullopt;
  return to_address(address);
}

namespace {

// All zero where the kernel does not tell.
std::array<std::uint32_t, SK_MEMINFO_VARS> memory_of(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> fields{};
  socklen_t length = sizeof fields;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, fields.data(), &length) != 0) return {};
  return fields;
}

}  // namespace

std::uint64_t kernel_drops(int fd) { return memory_of(fd)[SK_MEMINFO_DROPS]; }

unsigned receive_queue_percent(int fd) {
  const auto memory = memory_of(fd);
  const std::uint64_t most = memory[SK_MEMINFO_RCVBUF];
  return most == 0 ? 0 : static_cast<unsigned>(std::uint64_t{memory[SK_MEMINFO_RMEM_ALLOC]} * 100 / most);
}

ErrorQueueEntry take_error(const Socket& socket) {
  SocketAddress peer{};
  std::array<std::uint8_t, 1> payload{};  // what we sent is of no use; it may be cut off
  iovec part{payload.data(), payload.size()};
  alignas(cmsghdr) std::array<std::uint8_t, 256> control{};
  msghdr message{};
  message.msg_name = &peer;
  message.msg_namelen = sizeof peer;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(socket.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
    int pending = 0;
    socklen_t length = sizeof pending;
    (void)getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &pending, &length);  // reading clears it
    return {};
  }
  ErrorQueueEntry entry{true, std::nullopt};
  const auto peer_address = to_address(peer);
  for (cmsghdr* part_of = CMSG_FIRSTHDR(&message); part_of != nullptr;
       part_of = CMSG_NXTHDR(&message, part_of)) {
    const bool ipv4 = part_of->cmsg_level == IPPROTO_IP && part_of->cmsg_type == IP_RECVERR;
    const bool ipv6 = part_of->cmsg_level == IPPROTO_IPV6 && part_of->cmsg_type == IPV6_RECVERR;
    if (!ipv4 && !ipv6) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(part_of), sizeof error);
    const bool from_icmp = error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6;
    if (from_icmp && peer_address) {
      entry.icmp = IcmpError{*peer_address, error.ee_type, error.ee_code, error.ee_info};
    }
  }
  return entry;
}

}  // namespace offhook::io
