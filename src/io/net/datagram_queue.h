#pragma once
// Datagrams on their way out, sent with one system call for each run of datagrams that leave by the same
// socket.

#include <sys/socket.h>

#include <cstddef>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "io/net/socket_address.h"

namespace offhook::io {

class DatagramQueue {
 public:
  explicit DatagramQueue(std::size_t limit);

  bool full() const { return used_ == headers_.size(); }
  bool empty() const { return used_ == 0; }
  // Requires !full(). Borrows `bytes` and `fd` until flush().
  void add(int fd, const Address& to, Bytes bytes);
  // Sends all that waits. Returns how many datagrams the kernel did not take: UDP may lose them, so nobody
  // waits for room.
  std::size_t flush();

 private:
  std::size_t send_run(std::size_t first, std::size_t end);

  std::vector<mmsghdr> headers_;
  std::vector<iovec> parts_;
  std::vector<SocketAddress> to_;
  std::vector<int> fds_;
  std::size_t used_ = 0;
};

// Sends one datagram now. False if the kernel did not take it.
bool send_datagram(int fd, const Address& to, Bytes bytes);

}  // namespace offhook::io
