#pragma once
// Sends UDP datagrams of one local address, of whichever ports, with one system call for all that wait:
// through a raw socket, with IP and UDP headers of our own (raw(7), IP_HDRINCL). Each socket of its own would
// take a call for itself, and half as much time again. The machine's routes, neighbours and firewall
// hold as for a UDP socket, but for rules that name UDP or a port where a route or an IPsec policy is looked
// up: there the kernel knows the addresses alone.

#include <cstddef>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "io/loop/fd.h"
#include "io/net/message_batch.h"

namespace offhook::io {

class RawSender {
 public:
  // `limit`: datagrams that wait at most. Nothing where the process may not (CAP_NET_RAW), with an errno.
  static std::optional<RawSender> open(const Ip& local, std::size_t limit);

  const Ip& local() const { return local_; }
  int fd() const { return socket_.get(); }
  bool empty() const { return batch_.empty(); }

  // Requires room, and `to` of the family of local(). Borrows `bytes` until flush(). `tag` is the caller's
  // word for it.
  void add(std::uint16_t from_port, const Address& to, Bytes bytes, std::size_t tag);
  // As MessageBatch::flush(); refused: it would need fragments, or has no route.
  template <typename Refused>
  void flush(Refused refused) {
    batch_.flush(socket_.get(), refused);
  }

 private:
  RawSender(const Ip& local, Fd socket, std::size_t limit);

  Ip local_;
  Fd socket_;
  std::uint8_t hop_limit_;
  MessageBatch batch_;
};

}  // namespace offhook::io
