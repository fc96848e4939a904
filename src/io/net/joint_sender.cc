#include "io/net/joint_sender.h"

#include <algorithm>

#include "io/net/datagram_headers.h"

namespace offhook::io {

std::vector<int> JointSender::fds() const {
  std::vector<int> fds;
  for (const RawSender& each : raw_) fds.push_back(each.fd());
  if (packets_) fds.push_back(packets_->fd());
  for (const XdpSender& each : xdp_) fds.push_back(each.fd());
  if (!next_hops_) return fds;
  for (const int fd : next_hops_->fds()) fds.push_back(fd);
  return fds;
}

bool JointSender::takes(const Ip& from, std::size_t bytes) const {
  const std::size_t limit = from.is_v4() ? kUnfragmentedBytesLimit : kRawBytesLimitIpv6;
  return bytes <= limit && raw_for(from) != nullptr;
}

NextHops::Sender JointSender::sender_of(const Ip& from, const Ip& to, std::size_t bytes, Instant now,
                                        NextHop& hop) {
  using Sender = NextHops::Sender;
  // What went by packet socket before that was forbidden has left: a round asks once.
  if (!packet_socket_allowed_ || !next_hops_) return Sender::kernel;
  const Sender sender = next_hops_->find(from, to, now, hop);
  const bool is_too_large = datagram_header_bytes(to.family()) + bytes > hop.ip_bytes_limit;
  return sender == Sender::ours && is_too_large ? Sender::kernel_now : sender;
}

XdpSender* JointSender::xdp_for(int interface) {
  if (!xdp_sockets_allowed_) return nullptr;
  const auto found = std::ranges::find(xdp_, interface, &XdpSender::interface);
  return found == xdp_.end() ? nullptr : &*found;
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
