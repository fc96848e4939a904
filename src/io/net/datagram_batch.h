#pragma once
// Receives many datagrams with one system call, into buffers with room in front and behind, allocated once.
//
//   | headroom | datagram, up to 65,535 bytes | tailroom |   one slot; its pages are touched only as far as
//   used
//
// Every slot holds the largest UDP datagram there is, so none is ever cut short.

#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "io/net/socket_address.h"

namespace offhook::io {

class DatagramBatch {
 public:
  DatagramBatch(std::size_t slots, std::size_t headroom_bytes, std::size_t tailroom_bytes);

  struct Datagram {
    MutableBytes storage;    // the slot: headroom, datagram, tailroom; valid until clear()
    std::size_t offset = 0;  // of the datagram in storage
    std::size_t size = 0;
    std::optional<Address> from;
  };

  // Receives at most `limit` datagrams behind those already held. Fewer than min(limit, free_slots()) means
  // that none is left waiting, or that the socket had an error to report.
  std::size_t receive(int fd, std::size_t limit);
  Datagram datagram(std::size_t index) const;
  std::size_t size() const { return used_; }
  std::size_t free_slots() const { return headers_.size() - used_; }
  void clear() { used_ = 0; }

 private:
  MutableBytes slot(std::size_t index) const { return {memory_.get() + index * stride_, stride_}; }

  std::size_t headroom_bytes_;
  std::size_t stride_;
  std::unique_ptr<std::uint8_t[]> memory_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> parts_;
  std::vector<SocketAddress> from_;
  std::size_t used_ = 0;
};

}  // namespace offhook::io
