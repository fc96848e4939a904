#pragma once
// Receives many datagrams with one system call, into buffers with room in front and behind, allocated once.
//
//   | headroom | message, up to 65,535 bytes | tailroom |   one slot; its pages are touched only as far as
//   used
//
// Every slot holds the largest UDP datagram there is, so none is ever cut short. A socket with UDP_GRO hands
// over several datagrams of one sender as one message: the first stays where it is, the others are copied to
// where they have room of their own.

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "io/net/socket_address.h"

namespace offhook::io {

// The kernel merges no more datagrams into one message: 64 that came over a network, 128 that a local sender
// had merged itself.
inline constexpr std::size_t kMergedLimit = 128;

class DatagramBatch {
 public:
  DatagramBatch(std::size_t slots, std::size_t headroom_bytes, std::size_t tailroom_bytes);

  struct Datagram {
    MutableBytes storage;    // headroom, datagram, tailroom; valid until clear()
    std::size_t offset = 0;  // of the datagram in storage
    std::size_t size = 0;
    std::optional<Address> from;
  };

  struct Received {
    std::size_t datagrams = 0;
    bool more = false;  // false: none is left waiting, or the socket had an error to report
  };
  // Receives at most min(`messages`, free_slots()) messages behind the datagrams already held.
  Received receive(int fd, std::size_t messages);
  Datagram datagram(std::size_t index) const;
  // Which address it was for. Nothing unless the socket tells (open_shared_receiver).
  std::optional<Address> destination(std::size_t index) const;
  std::size_t size() const { return held_.size(); }
  std::size_t free_slots() const { return headers_.size() - used_; }
  void clear();

 private:
  struct Held {
    std::uint8_t* storage;
    std::size_t size;  // of the datagram
    std::size_t slot;  // whose sender and destination it has
  };
  // What the kernel says beside a message: how long each datagram of a merged one is, and which address it
  // was for.
  struct Control {
    alignas(
        cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(sockaddr_in6))> bytes;
  };

  std::uint8_t* slot(std::size_t index) const { return memory_.get() + index * stride_; }
  void hold(std::size_t slot);
  std::size_t read_control(std::size_t slot);
  void copy_to_own_room(const std::uint8_t* datagram, std::size_t size, std::size_t slot);

  std::size_t headroom_bytes_;
  std::size_t tailroom_bytes_;
  std::size_t stride_;
  std::unique_ptr<std::uint8_t[]> memory_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> parts_;
  std::vector<SocketAddress> from_;
  std::vector<SocketAddress> to_;
  std::vector<Control> controls_;
  std::size_t used_ = 0;  // slots
  // Of merged messages, all but their first datagrams. Large enough for whatever the slots can hold.
  std::unique_ptr<std::uint8_t[]> copies_;
  std::size_t copied_bytes_ = 0;
  std::vector<Held> held_;
};

}  // namespace offhook::io
