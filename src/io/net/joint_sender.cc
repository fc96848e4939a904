#include "io/net/joint_sender.h"

#include <algorithm>

#include "io/net/datagram_headers.h"

namespace offhook::io {

std::vector<int> JointSender::fds() const {
  std::vector<int> fds;
  for (const RawSender& each : raw_) fds.push_back(each.fd());
  if (packets_) fds.push_back(packets_->fd());
  if (!hops_) return fds;
  for (const int fd : hops_->fds()) fds.push_back(fd);
  return fds;
}

bool JointSender::takes(const Ip& from, std::size_t bytes) const {
  const std::size_t limit = from.is_v4() ? kUnfragmentedBytesLimit : kRawBytesLimitIpv6;
  return bytes <= limit && raw_for(from) != nullptr;
}

std::optional<NextHop> JointSender::hop_for(const Ip& from, const Ip& to, std::size_t bytes, Instant now) {
  if (!packet_socket_allowed_ || !packets_ || !hops_) return std::nullopt;
  auto hop = hops_->find(from, to, now);
  if (hop && datagram_header_bytes(to.family()) + bytes > hop->ip_bytes_limit) return std::nullopt;
  return hop;
}

const RawSender* JointSender::raw_for(const Ip& from) const {
  const auto found = std::ranges::find(raw_, from, &RawSender::local);
  return found == raw_.end() ? nullptr : &*found;
}

RawSender* JointSender::raw_for(const Ip& from) {
  const auto found = std::ranges::find(raw_, from, &RawSender::local);
  return found == raw_.end() ? nullptr : &*found;
}

}  // namespace offhook::io
