#include "relay_load/namespace_socket.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
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
// A message that is to be cut is an IP packet until then.
constexpr std::size_t kMergedBytesLimit = 60'000;

}  // namespace

Result<std::unique_ptr<NamespaceSocket>, std::string> NamespaceSocket::open(const std::string& netns_path,
                                                                            std::uint16_t port, bool merges) {
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
  return std::unique_ptr<NamespaceSocket>(new NamespaceSocket(std::move(*made), merges));
}

NamespaceSocket::NamespaceSocket(io::Fd fd, bool merges)
    : fd_(std::move(fd)),
      incoming_(std::make_unique<Ring>()),
      outgoing_(std::make_unique<Ring>()),
      merges_(merges) {
  for (std::size_t i = 0; i < kBatch; ++i) arm(*incoming_, i);
}

void NamespaceSocket::arm(Ring& ring, std::size_t index) {
  Slot& slot = ring.slots[index];
  ring.vectors[index] = {slot.bytes.data(), slot.bytes.size()};
  msghdr& header = ring.headers[index].msg_hdr;
  header = {};
  header.msg_name = &slot.remote;
  header.msg_namelen = sizeof slot.remote;
  header.msg_iov = &ring.vectors[index];
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
  outgoing_->vectors[index].iov_len = bytes;
  outgoing_->headers[index].msg_hdr.msg_controllen = CMSG_SPACE(sizeof(in_pktinfo));
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

// With the same source, destination and size.
bool NamespaceSocket::goes_with(std::size_t first, std::size_t index) const {
  const Slot& a = outgoing_->slots[first];
  const Slot& b = outgoing_->slots[index];
  return outgoing_->vectors[first].iov_len == outgoing_->vectors[index].iov_len &&
         std::memcmp(&a.remote, &b.remote, sizeof a.remote) == 0 &&
         std::memcmp(a.control.data(), b.control.data(), CMSG_LEN(sizeof(in_pktinfo))) == 0;
}

// Makes one message of each run of datagrams that may be one.
void NamespaceSocket::merge() {
  messages_ = 0;
  for (std::size_t first = 0; first < queued_;) {
    std::size_t end = first + 1;
    std::size_t bytes = outgoing_->vectors[first].iov_len;
    while (merges_ && end < queued_ && goes_with(first, end) && bytes < kMergedBytesLimit)
      bytes += outgoing_->vectors[end++].iov_len;
    mmsghdr& message = outgoing_->headers[messages_++];
    message = outgoing_->headers[first];
    message.msg_hdr.msg_iovlen = end - first;
    if (end - first > 1) {
      message.msg_hdr.msg_controllen = outgoing_->slots[first].control.size();
      cmsghdr* control = CMSG_NXTHDR(&message.msg_hdr, CMSG_FIRSTHDR(&message.msg_hdr));
      const auto part = static_cast<std::uint16_t>(outgoing_->vectors[first].iov_len);
      control->cmsg_level = IPPROTO_UDP;
      control->cmsg_type = UDP_SEGMENT;
      control->cmsg_len = CMSG_LEN(sizeof part);
      std::memcpy(CMSG_DATA(control), &part, sizeof part);
    }
    first = end;
  }
}

Result<void, std::string> NamespaceSocket::flush() {
  merge();
  std::size_t done = 0;
  while (done < messages_) {
    const int count = ::sendmmsg(fd_.get(), &outgoing_->headers[done],
                                 static_cast<unsigned>(messages_ - done), MSG_DONTWAIT);
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
