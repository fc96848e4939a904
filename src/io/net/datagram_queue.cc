#include "io/net/datagram_queue.h"

#include <cerrno>

namespace offhook::io {
namespace {

// A socket that collects ICMP errors (IP_RECVERR) reports one on the next call whatever that call is about,
// once.
bool is_of_an_earlier_datagram(int code) {
  return code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH || code == EHOSTDOWN ||
         code == ENOPROTOOPT || code == EPROTO || code == EACCES || code == EOPNOTSUPP;
}

// EMSGSIZE may belong to this datagram or to an earlier one; a second try tells.
bool worth_a_second_try(int code) {
  return is_of_an_earlier_datagram(code) || code == EMSGSIZE || code == EINTR;
}

// The socket's or the interface's queue is full; the next datagram of the same socket would fare no better.
bool has_no_room(int code) { return code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS; }

// On false errno says why.
bool send_one(int fd, const msghdr& header) {
  const iovec& part = *header.msg_iov;
  const auto* to = static_cast<const sockaddr*>(header.msg_name);
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (sendto(fd, part.iov_base, part.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL, to, header.msg_namelen) >= 0) {
      return true;
    }
    if (!worth_a_second_try(errno)) return false;
  }
  return false;
}

}  // namespace

DatagramQueue::DatagramQueue(std::size_t limit) : headers_(limit), parts_(limit), to_(limit), fds_(limit) {
  for (std::size_t i = 0; i < limit; ++i) {
    msghdr& header = headers_[i].msg_hdr;
    header = {};
    header.msg_name = &to_[i];
    header.msg_iov = &parts_[i];
    header.msg_iovlen = 1;
  }
}

void DatagramQueue::add(int fd, const Address& to, Bytes bytes) {
  headers_[used_].msg_hdr.msg_namelen = to_socket_address(to, to_[used_]);
  // The kernel only reads; iovec serves both directions and so has no const.
  parts_[used_] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  fds_[used_] = fd;
  used_ += 1;
}

std::size_t DatagramQueue::flush() {
  std::size_t lost = 0;
  for (std::size_t first = 0; first < used_;) {
    std::size_t end = first + 1;
    while (end < used_ && fds_[end] == fds_[first]) end += 1;
    lost += send_run(first, end);
    first = end;
  }
  used_ = 0;
  return lost;
}

// A datagram that fails is tried alone, then given up; those behind it go on. Without room all that are left
// are lost at once: when the machine is overloaded, a loss must not cost more than a send.
std::size_t DatagramQueue::send_run(std::size_t first, std::size_t end) {
  std::size_t lost = 0;
  while (first < end) {
    int sent = 0;
    if (end - first > 1) {
      sent = sendmmsg(fds_[first], &headers_[first], static_cast<unsigned>(end - first),
                      MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (sent > 0) {
      first += static_cast<std::size_t>(sent);
      continue;
    }
    if (sent < 0 && has_no_room(errno)) return lost + (end - first);
    if (!send_one(fds_[first], headers_[first].msg_hdr)) {
      if (has_no_room(errno)) return lost + (end - first);
      lost += 1;
    }
    first += 1;
  }
  return lost;
}

bool send_datagram(int fd, const Address& to, Bytes bytes) {
  SocketAddress target{};
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_name = &target;
  header.msg_namelen = to_socket_address(to, target);
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  return send_one(fd, header);
}

}  // namespace offhook::io
