#include "relay_load/namespace_socket.h"

#include <arpa/inet.h>
#include <poll.h>

#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "relay_load/namespace.h"

namespace offhook::bench {
namespace {

// The generator must never be the one that drops: a whole second of small packets fits.
constexpr int kSocketBufferBytes = 64 << 20;

}  // namespace

Result<std::unique_ptr<NamespaceSocket>, std::string> NamespaceSocket::open(const std::string& netns_path,
                                                                            std::uint16_t port) {
  auto made = socket_inside(netns_path, SOCK_DGRAM);
  if (!made) return fail(made.error());
  const int fd = made->get();
  const int on = 1;
  const int buffer = kSocketBufferBytes;
  if (::setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) != 0) return fail(failure("IP_PKTINFO"));
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0 ||
      ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) != 0) {
    return fail(failure("SO_RCVBUFFORCE (root is needed)"));
  }
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_port = htons(port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return fail(failure("bind"));
  return std::unique_ptr<NamespaceSocket>(new NamespaceSocket(std::move(*made)));
}

NamespaceSocket::NamespaceSocket(io::Fd fd)
    : fd_(std::move(fd)), incoming_(std::make_unique<Ring>()), outgoing_(std::make_unique<Ring>()) {
  for (std::size_t i = 0; i < kBatch; ++i) arm(*incoming_, i);
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

Result<std::span<const MessageSockets::Received>, std::string> NamespaceSocket::receive() {
  const int count = ::recvmmsg(fd_.get(), incoming_->headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (count <= 0) return std::span<const Received>();
  const auto taken = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < taken; ++i) {
    const Slot& slot = incoming_->slots[i];
    msghdr& header = incoming_->headers[i].msg_hdr;
    Received& out = received_[i];
    out.message = Bytes(slot.bytes).first(incoming_->headers[i].msg_len);
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
  return std::span<const Received>(received_).first(taken);
}

void NamespaceSocket::wait_readable(int timeout_ms) const {
  pollfd entry{fd_.get(), POLLIN, 0};
  (void)::poll(&entry, 1, timeout_ms);  // a signal or the timeout: the caller looks at its own clock
}

MutableBytes NamespaceSocket::queue(std::uint32_t local_ip, const Endpoint& remote, std::size_t bytes) {
  assert(queued_ < kBatch && bytes <= kMessageBytesLimit);
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
        ::sendmmsg(fd_.get(), &outgoing_->headers[done], static_cast<unsigned>(queued_ - done), MSG_DONTWAIT);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
      continue;
    }
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) return fail(failure("sendmmsg"));
    pollfd entry{fd_.get(), POLLOUT, 0};
    (void)::poll(&entry, 1, 10);
  }
  queued_ = 0;
  return {};
}

}  // namespace offhook::bench
