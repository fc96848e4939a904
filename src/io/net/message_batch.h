#pragma once
// Datagrams with a header of our own in front of each payload, sent through one socket with one system call.

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "io/net/socket_address.h"

namespace offhook::io {

class MessageBatch {
 public:
  // Ethernet, IPv6 and UDP headers take 62.
  static constexpr std::size_t kHeaderBytesLimit = 64;
  using Header = std::array<std::uint8_t, kHeaderBytesLimit>;
  union Destination {
    SocketAddress address;
    sockaddr_ll link;
  };

  explicit MessageBatch(std::size_t limit);

  bool empty() const { return used_ == 0; }
  bool full() const { return used_ == messages_.size(); }
  // What add() sends next. Requires room.
  Header& header() { return headers_[used_]; }
  Destination& destination() { return destinations_[used_]; }
  // Takes header() and destination() as they were filled. Borrows `payload` until flush(). `tag` is the
  // caller's word for it.
  void add(std::size_t header_bytes, socklen_t destination_bytes, Bytes payload, std::size_t tag);

  // Sends what waits, in its order. `refused` is called with the tag of each datagram that the kernel does
  // not take, in its place in the order; without room, of all that are left.
  template <typename Refused>
  void flush(int fd, Refused refused) {
    bool has_room = true;
    for (std::size_t at = 0; at < used_;) {
      if (has_room) at += send_from(fd, at, has_room);
      if (at < used_) refused(tags_[at++]);
    }
    used_ = 0;
  }

 private:
  // Returns how many went, from `first` on.
  std::size_t send_from(int fd, std::size_t first, bool& has_room);

  std::vector<Header> headers_;
  std::vector<std::array<iovec, 2>> parts_;  // header, payload
  std::vector<Destination> destinations_;
  std::vector<mmsghdr> messages_;
  std::vector<std::size_t> tags_;
  std::size_t used_ = 0;
};

}  // namespace offhook::io
