#pragma once
// Sends datagrams of many sockets together: where that is allowed and their next hop is known through the
// AF_XDP socket of its interface or else a packet socket, and otherwise through the raw socket of their local
// address.

#include <cstddef>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"
#include "io/net/next_hops.h"
#include "io/net/packet_sender.h"
#include "io/net/raw_sender.h"
#include "io/net/xdp_sender.h"

namespace offhook::io {

// Every link of IPv6 takes so much whole (RFC 8200 section 5), without the headers of IPv6 and UDP. A larger
// one may need fragments where the path is narrower, and a raw socket answers that with an ICMP error to
// ourselves.
inline constexpr std::size_t kRawBytesLimitIpv6 = 1232;
// Of Ethernet's 1,500 bytes without the headers of IPv6 and UDP: a larger one may need fragments.
inline constexpr std::size_t kUnfragmentedBytesLimit = 1452;

class JointSender {
 public:
  JointSender() = default;  // sends nothing
  // `raw`, `packets` and `xdp` each have the same limit of datagrams that wait. Packet sockets need both
  // `packets` and `next_hops`, and so do those of `xdp`, one an interface at most.
  JointSender(std::vector<RawSender> raw, std::optional<PacketSender> packets,
              std::optional<NextHops> next_hops, std::vector<XdpSender> xdp = {})
      : raw_(std::move(raw)) {
    if (!packets || !next_hops) return;
    packets_ = std::move(packets);
    next_hops_ = std::move(next_hops);
    xdp_ = std::move(xdp);
  }

  std::vector<int> fds() const;
  // Tells of changed routes; -1 without packet sockets. handle_changes() is called when it is readable.
  int changes_fd() const { return next_hops_ ? next_hops_->changes_fd() : -1; }
  void handle_changes() {
    if (next_hops_) next_hops_->handle_changes();
  }
  // Whether datagrams may go past the machine's packet filter from now on.
  void allow_packet_socket(bool allowed) { packet_socket_allowed_ = allowed; }
  // Whether what may go by packet socket may also go past the interface's queue and what filters there.
  void allow_xdp_sockets(bool allowed) { xdp_sockets_allowed_ = allowed; }

  // False: this one is for its own socket, which may cut it into fragments.
  bool takes(const Ip& from, std::size_t bytes) const;
  // add() is called for this destination soon.
  void expect(const Ip& to) const {
    if (packet_socket_allowed_ && next_hops_) next_hops_->expect(to);
  }
  // Requires takes() and room. Borrows `bytes` until flush(). `tag` is the caller's word for it. What waits
  // and may go to the same destination another way is sent first, so that nothing is overtaken; `refused` as
  // in flush().
  template <typename Refused>
  void add(const Address& from, const Address& to, Bytes bytes, std::size_t tag, Instant now,
           Refused refused) {
    NextHop hop;
    const auto sender = sender_of(from.ip, to.ip, bytes.size(), now, hop);
    if (sender == NextHops::Sender::ours) {
      if (raw_may_be_overtaken_) flush_raw(refused);
      XdpSender* xdp = xdp_for(hop.interface);
      if (xdp != nullptr && xdp->is_ready(now)) return xdp->add(hop, from, to, bytes, tag);
      // From here on to the end of the round what goes over this interface goes by packet socket.
      if (xdp != nullptr) xdp->flush(refused);
      return packets_->add(hop, from, to, bytes, tag);
    }
    if (sender == NextHops::Sender::kernel_now) {
      flush_packets(refused);
      raw_may_be_overtaken_ = true;
    }
    raw_for(from.ip)->add(from.port, to, bytes, tag);
  }
  // Sends what waits. `refused` is called with the tag of each datagram that the kernel does not take, in its
  // place in the order.
  template <typename Refused>
  void flush(Refused refused) {
    flush_packets(refused);
    flush_raw(refused);
  }

 private:
  template <typename Refused>
  void flush_packets(Refused refused) {
    if (packets_ && !packets_->empty()) packets_->flush(refused);
    for (XdpSender& each : xdp_) {
      each.flush(refused);
      each.end_round();
    }
  }
  XdpSender* xdp_for(int interface);
  template <typename Refused>
  void flush_raw(Refused refused) {
    raw_may_be_overtaken_ = false;
    for (RawSender& each : raw_) {
      if (!each.empty()) each.flush(refused);
    }
  }
  NextHops::Sender sender_of(const Ip& from, const Ip& to, std::size_t bytes, Instant now, NextHop& hop);
  RawSender* raw_for(const Ip& from);
  const RawSender* raw_for(const Ip& from) const;

  std::vector<RawSender> raw_;
  std::optional<PacketSender> packets_;
  std::optional<NextHops> next_hops_;
  std::vector<XdpSender> xdp_;
  bool packet_socket_allowed_ = false;
  bool xdp_sockets_allowed_ = false;
  bool raw_may_be_overtaken_ = false;  // what waits there is for destinations that frames of ours reach
};

}  // namespace offhook::io
