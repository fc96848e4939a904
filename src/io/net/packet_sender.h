#pragma once
// Sends UDP datagrams of any local address and port with one system call for all that wait, in Ethernet
// frames of our own (packet(7)): past the kernel's network stack, its packet filter and IPsec policies. The
// interface's queue (tc(8)) holds. A third of what a socket costs, half of what a raw one does.

#include <cstddef>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "io/loop/fd.h"
#include "io/net/frame_headers.h"
#include "io/net/message_batch.h"
#include "io/net/next_hops.h"

namespace offhook::io {

class PacketSender {
 public:
  // `limit`: datagrams that wait at most. Nothing where the process may not (CAP_NET_RAW), with an errno.
  static std::optional<PacketSender> open(std::size_t limit);

  int fd() const { return socket_.get(); }
  bool empty() const { return batch_.empty(); }

  // Requires room, both addresses of one family, and a datagram that `hop` takes whole. Borrows `bytes` until
  // flush(). `tag` is the caller's word for it.
  void add(const NextHop& hop, const Address& from, const Address& to, Bytes bytes, std::size_t tag);
  // As MessageBatch::flush(); refused: the interface is gone, down or full.
  template <typename Refused>
  void flush(Refused refused) {
    batch_.flush(socket_.get(), refused);
  }

 private:
  PacketSender(Fd socket, std::size_t limit);

  Fd socket_;
  FrameHeaders headers_;
  MessageBatch batch_;
};

}  // namespace offhook::io
