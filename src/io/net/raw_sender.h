#pragma once
// Sends UDP datagrams of one local address, of whichever ports, with one system call for all that wait:
// through a raw socket, with IP and UDP headers of our own (raw(7), IP_HDRINCL). Each socket of its own would
// take a call for itself, and half as much time again. The machine's routes, neighbours and firewall
// hold as for a UDP socket, but for rules that name UDP or a port where a route or an IPsec policy is looked
// up: there the kernel knows the addresses alone.

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "io/loop/fd.h"
#include "io/net/socket_address.h"

namespace offhook::io {

class RawSender {
 public:
  // `limit`: datagrams that wait at most. Nothing where the process may not (CAP_NET_RAW), with an errno.
  static std::optional<RawSender> open(const Ip& local, std::size_t limit);

  const Ip& local() const { return local_; }
  int fd() const { return socket_.get(); }
  bool empty() const { return used_ == 0; }

  // Requires room, and `to` of the family of local(). Borrows `bytes` until flush(). `tag` is the caller's
  // word for it.
  void add(std::uint16_t from_port, const Address& to, Bytes bytes, std::size_t tag);
  // Sends what waits, in its order. `refused` is called with the tag of each datagram that the kernel does
  // not take (it would need fragments, has no route), in its place in the order; without room, of all that
  // are left.
  template <typename Refused>
  void flush(Refused refused) {
    bool has_room = true;
    for (std::size_t at = 0; at < used_;) {
      if (has_room) at += send_from(at, has_room);
      if (at < used_) refused(tags_[at++]);
    }
    used_ = 0;
  }

 private:
  // An IPv6 header and a UDP one.
  using Headers = std::array<std::uint8_t, 48>;

  RawSender(const Ip& local, Fd socket, std::size_t limit);
  // Returns how many went, from `first` on.
  std::size_t send_from(std::size_t first, bool& has_room);
  std::size_t write_ipv4(Headers& headers, const Address& to) const;
  std::size_t write_ipv6(Headers& headers, const Address& to, std::size_t udp_bytes) const;

  Ip local_;
  Fd socket_;
  std::uint8_t hop_limit_ = 64;
  std::uint64_t local_sum_ = 0;
  std::vector<Headers> headers_;
  std::vector<std::array<iovec, 2>> parts_;  // headers, payload
  std::vector<SocketAddress> to_;
  std::vector<mmsghdr> messages_;
  std::vector<std::size_t> tags_;
  std::size_t used_ = 0;
};

}  // namespace offhook::io
