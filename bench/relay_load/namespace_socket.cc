#include "relay_load/namespace_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstring>

namespace offhook::bench {
namespace {

// The generator must never be the one that drops: a whole second of small packets fits.
constexpr int kSocketBufferBytes = 64 << 20;

std::string failure(const char* what) { return fmt::format("{}: {}", what, std::strerror(errno)); }

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// Opens the socket with the thread inside `netns_path`, and comes back. A socket stays in the namespace that
// it was made in.
Result<int, std::string> socket_inside(const std::string& netns_path) {
  if (netns_path.empty()) return ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const Descriptor home{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  const Descriptor away{::open(netns_path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (home.fd < 0 || away.fd < 0) return fail(failure(netns_path.c_str()));
  if (::setns(away.fd, CLONE_NEWNET) != 0) return fail(failure("setns (root is needed)"));
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const std::string socket_failure = fd < 0 ? failure("socket") : std::string();
  if (::setns(home.fd, CLONE_NEWNET) != 0) return fail(failure("setns back"));
  if (fd < 0) return fail(socket_failure);
  return fd;
}

}  // namespace

Result<NamespaceSocket, std::string> NamespaceSocket::open(const std::string& netns_path,
                                                           std::uint16_t port) {
  const auto fd = socket_inside(netns_path);
  if (!fd) return fail(fd.error());
  if (*fd < 0) return fail(failure("socket"));
  NamespaceSocket socket(*fd);
  const int on = 1;
  const int buffer = kSocketBufferBytes;
  if (::setsockopt(*fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) != 0) return fail(failure("IP_PKTINFO"));
  if (::setsockopt(*fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0 ||
      ::setsockopt(*fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) != 0) {
    return fail(failure("SO_RCVBUFFORCE (root is needed)"));
  }
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_port = htons(port);
  if (::bind(*fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return fail(failure("bind"));
  return socket;
}

NamespaceSocket::NamespaceSocket(int fd)
    : fd_(fd), incoming_(std::make_unique<Ring>()), outgoing_(std::make_unique<Ring>()) {
  for (std::size_t i = 0; i < kBatch; ++i) arm(*incoming_, i);
}

NamespaceSocket::NamespaceSocket(NamespaceSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      incoming_(std::move(other.incoming_)),
      outgoing_(std::move(other.outgoing_)),
      queued_(std::exchange(other.queued_, 0)) {}

NamespaceSocket::~NamespaceSocket() {
  if (fd_ >= 0) ::close(fd_);
}

void NamespaceSocket::arm(Ring& ring, std::size_t index) {
  Slot& slot = ring.slots[index];
  slot.vector = {slot.bytes.data(), slot.bytes.size()};
  msghdr& header = ring.headers[index].msg_hdr;
  header = {};
  header.msg_name = &slot.remote;
  header.msg_namelen = sizeof slot.remote;
  header.msg_iov = &slot.vector;
  header.msg_iovlen = 1;
  header.msg_control = slot.control.data();
  header.msg_controllen = slot.control.size();
}

std::span<const NamespaceSocket::Received> NamespaceSocket::receive() {
  const int count = ::recvmmsg(fd_, incoming_->headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (count <= 0) return {};
  const auto taken = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < taken; ++i) {
    const Slot& slot = incoming_->slots[i];
    msghdr& header = incoming_->headers[i].msg_hdr;
    Received& out = received_[i];
    out.datagram = Bytes(slot.bytes).first(incoming_->headers[i].msg_len);
    out.remote = {ntohl(slot.remote.sin_addr.s_addr), ntohs(slot.remote.sin_port)};
    out.local_ip = 0;
    if (const cmsghdr* control = CMSG_FIRSTHDR(&header);
        control != nullptr && control->cmsg_type == IP_PKTINFO) {
      in_pktinfo reached{};
      std::memcpy(&reached, CMSG_DATA(control), sizeof reached);
      out.local_ip = ntohl(reached.ipi_addr.s_addr);
    }
    header.msg_controllen = slot.control.size();
    header.msg_namelen = sizeof slot.remote;
  }
  return std::span(received_).first(taken);
}

void NamespaceSocket::wait_readable(int timeout_ms) const {
  pollfd entry{fd_, POLLIN, 0};
  (void)::poll(&entry, 1, timeout_ms);  // a signal or the timeout: the caller looks at its own clock
}

MutableBytes NamespaceSocket::queue(std::uint32_t local_ip, const Endpoint& remote, std::size_t bytes) {
  assert(queued_ < kBatch && bytes <= kDatagramBytesLimit);
  const std::size_t index = queued_++;
  arm(*outgoing_, index);
  Slot& slot = outgoing_->slots[index];
  slot.vector.iov_len = bytes;
  slot.remote = {};
  slot.remote.sin_family = AF_INET;
  slot.remote.sin_addr.s_addr = htonl(remote.ip);
  slot.remote.sin_port = htons(remote.port);
  auto* control = reinterpret_cast<cmsghdr*>(slot.control.data());
  control->cmsg_level = IPPROTO_IP;
  control->cmsg_type = IP_PKTINFO;
  control->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo source{};
  source.ipi_spec_dst.s_addr = htonl(local_ip);
  std::memcpy(CMSG_DATA(control), &source, sizeof source);
  return MutableBytes(slot.bytes).first(bytes);
}

Result<void, std::string> NamespaceSocket::flush() {
  std::size_t done = 0;
  while (done < queued_) {
    const int count =
        ::sendmmsg(fd_, &outgoing_->headers[done], static_cast<unsigned>(queued_ - done), MSG_DONTWAIT);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
      continue;
    }
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) return fail(failure("sendmmsg"));
    pollfd entry{fd_, POLLOUT, 0};
    (void)::poll(&entry, 1, 10);
  }
  queued_ = 0;
  return {};
}

}  // namespace offhook::bench
