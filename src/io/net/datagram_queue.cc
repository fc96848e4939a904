#include "io/net/datagram_queue.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace offhook::io {
namespace {

// So many datagrams for one destination cost less as one message than each by itself.
constexpr std::size_t kWorthAMessage = 4;
// An IP packet's 65,535 bytes without the headers of IPv6 and UDP.
constexpr std::size_t kMessageBytesLimit = 65487;

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

DatagramQueue::DatagramQueue(std::size_t limit, JointSender joint)
    : parts_(limit),
      fds_(limit),
      from_(limit),
      to_(limit),
      joint_(std::move(joint)),
      flows_(limit),
      next_(limit),
      parts_together_(limit),
      fds_together_(limit),
      from_together_(limit),
      to_together_(limit),
      messages_(limit),
      destinations_(limit),
      controls_(limit) {}

void DatagramQueue::add(int fd, const Address& from, const Address& to, Bytes bytes) {
  // The kernel only reads; iovec serves both directions and so has no const.
  parts_[used_] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  fds_[used_] = fd;
  from_[used_] = from;
  to_[used_] = to;
  used_ += 1;
  joint_.expect(to.ip);
}

// Whether there is one whose datagrams are worth bringing together.
bool DatagramQueue::find_flows() {
  if (!may_segment_ || used_ < kWorthAMessage) return false;
  buckets_.fill(kNone);
  flow_count_ = 0;
  bool is_worth_it = false;
  for (std::size_t i = 0; i < used_; ++i) {
    const auto datagram = static_cast<std::uint16_t>(i);
    Flow& flow = flow_of(datagram);
    next_[i] = kNone;
    if (flow.count > 0) {
      flow.is_apart = flow.is_apart || flow.last + 1U != i;
      next_[flow.last] = datagram;
    }
    flow.last = datagram;
    flow.count += 1;
    is_worth_it = is_worth_it || (flow.is_apart && flow.count >= kWorthAMessage);
  }
  return is_worth_it;
}

DatagramQueue::Flow& DatagramQueue::flow_of(std::uint16_t datagram) {
  const Address& to = to_[datagram];
  const Bytes ip = to.ip.octets();
  const std::size_t mixed =
      to.port * 5U + ip[ip.size() - 1] * 3U + ip[2] + static_cast<unsigned>(fds_[datagram]) * 7U;
  std::uint16_t& bucket = buckets_[mixed % kBuckets];
  for (std::uint16_t i = bucket; i != kNone; i = flows_[i].next) {
    const std::uint16_t first = flows_[i].first;
    if (fds_[first] == fds_[datagram] && to_[first] == to) return flows_[i];
  }
  const auto made = static_cast<std::uint16_t>(flow_count_++);
  flows_[made] = {.first = datagram, .last = datagram, .count = 0, .next = bucket, .is_apart = false};
  bucket = made;
  return flows_[made];
}

// Each flow in its order. Those that leave as messages first: the others go another way, and the two are not
// to take turns.
void DatagramQueue::bring_together() {
  std::size_t to = 0;
  for (const bool as_message : {true, false}) {
    for (std::size_t flow = 0; flow < flow_count_; ++flow) {
      if ((flows_[flow].count >= kWorthAMessage) != as_message) continue;
      for (std::uint16_t from = flows_[flow].first; from != kNone; from = next_[from]) {
        parts_together_[to] = parts_[from];
        fds_together_[to] = fds_[from];
        from_together_[to] = from_[from];
        to_together_[to] = to_[from];
        to += 1;
      }
    }
  }
  parts_.swap(parts_together_);
  fds_.swap(fds_together_);
  from_.swap(from_together_);
  to_.swap(to_together_);
}

std::size_t DatagramQueue::flush(Instant now) {
  std::size_t lost = 0;
  if (find_flows()) bring_together();
  for (std::size_t first = 0; first < used_;) {
    const std::size_t end = end_of_run(first);
    lost += flush_run(first, end, now);
    first = end;
  }
  lost += flush_joint();
  used_ = 0;
  return lost;
}

// Whatever goes the other way than the one before it is sent after it, so that nothing is overtaken.
std::size_t DatagramQueue::flush_run(std::size_t first, std::size_t end, Instant now) {
  std::size_t lost = 0;
  for (std::size_t begin = first; begin < end;) {
    const std::size_t next = end_of_message(begin, end);
    // A few, for which its socket would have to be called by itself, likewise.
    const std::size_t few = begin == first && next == end ? kWorthAMessage - 1 : 1;
    const bool goes_jointly = next - begin <= few && joint_.takes(from_[begin].ip, parts_[begin].iov_len);
    if (goes_jointly) {
      lost += flush_messages(fds_[first]);
      for (; begin < next; ++begin) {
        joint_.add(from_[begin], to_[begin], payload(begin), begin, now,
                   [&](std::size_t refused) { lost += send_refused(refused); });
      }
    } else {
      lost += flush_joint();
      add_message(begin, next);
    }
    begin = next;
  }
  return lost + flush_messages(fds_[first]);
}

Bytes DatagramQueue::payload(std::size_t datagram) const {
  const iovec& part = parts_[datagram];
  return {static_cast<const std::uint8_t*>(part.iov_base), part.iov_len};
}

// Through its own socket.
std::size_t DatagramQueue::send_refused(std::size_t datagram) {
  add_message(datagram, datagram + 1);
  return flush_messages(fds_[datagram]);
}

std::size_t DatagramQueue::flush_joint() {
  std::size_t lost = 0;
  joint_.flush([&](std::size_t refused) { lost += send_refused(refused); });
  return lost;
}

std::size_t DatagramQueue::flush_messages(int fd) {
  const std::size_t lost = message_count_ > 0 ? send_run(fd) : 0;
  message_count_ = 0;
  return lost;
}

std::size_t DatagramQueue::end_of_run(std::size_t first) const {
  std::size_t end = first + 1;
  while (end < used_ && fds_[end] == fds_[first]) end += 1;
  return end;
}

// All of one size, the last one perhaps smaller.
std::size_t DatagramQueue::end_of_message(std::size_t first, std::size_t end) const {
  const std::size_t bytes = parts_[first].iov_len;
  std::size_t last = first + 1;
  if (!may_segment_ || bytes == 0 || bytes > kSegmentBytesLimit) return last;
  const std::size_t count_limit = std::min(kSegmentsLimit, kMessageBytesLimit / bytes);
  for (; last < end && last - first < count_limit; ++last) {
    const std::size_t next_bytes = parts_[last].iov_len;
    if (to_[last] != to_[first] || next_bytes > bytes || next_bytes == 0) return last;
    if (next_bytes < bytes) return last + 1;
  }
  return last;
}

void DatagramQueue::add_message(std::size_t first, std::size_t end) {
  msghdr& header = messages_[message_count_].msg_hdr;
  header = {};
  SocketAddress& destination = destinations_[message_count_];
  header.msg_name = &destination;
  header.msg_namelen = to_socket_address(to_[first], destination);
  header.msg_iov = &parts_[first];
  header.msg_iovlen = end - first;
  if (end - first > 1) {
    SegmentControl& control = controls_[message_count_];
    control = {};
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    cmsghdr* option = CMSG_FIRSTHDR(&header);
    option->cmsg_level = SOL_UDP;
    option->cmsg_type = UDP_SEGMENT;
    option->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto bytes = static_cast<std::uint16_t>(parts_[first].iov_len);
    std::memcpy(CMSG_DATA(option), &bytes, sizeof bytes);
  }
  message_count_ += 1;
}

std::size_t DatagramQueue::datagrams_from(std::size_t message) const {
  std::size_t count = 0;
  for (; message < message_count_; ++message) count += messages_[message].msg_hdr.msg_iovlen;
  return count;
}

// Returns how many went, or -1 with an errno; 0 for a single datagram, which sendto() takes with less ado.
int DatagramQueue::send_messages(int fd, std::size_t first) {
  const std::size_t count = message_count_ - first;
  if (count == 1 && messages_[first].msg_hdr.msg_iovlen == 1) return 0;
  int sent = -1;
  for (int attempt = 0; attempt < 2; ++attempt) {
    sent = sendmmsg(fd, &messages_[first], static_cast<unsigned>(count), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || !is_of_an_earlier_datagram(errno)) return sent;
  }
  return sent;
}

// A message that fails is tried datagram by datagram, and what fails then is given up; those behind it go on.
// Without room all that are left are lost at once: when the machine is overloaded, a loss must not cost more
// than a send.
std::size_t DatagramQueue::send_run(int fd) {
  std::size_t lost = 0;
  for (std::size_t first = 0; first < message_count_;) {
    const int sent = send_messages(fd, first);
    if (sent > 0) {
      first += static_cast<std::size_t>(sent);
      continue;
    }
    if (sent < 0 && has_no_room(errno)) return lost + datagrams_from(first);
    // A device that cannot, a transformed path (IPsec), a socket without checksums: it would be so every
    // time.
    if (sent < 0 && errno == EIO && messages_[first].msg_hdr.msg_iovlen > 1) may_segment_ = false;
    lost += send_singly(fd, messages_[first]);
    if (has_no_room(errno)) return lost + datagrams_from(first + 1);
    first += 1;
  }
  return lost;
}

// Returns how many were lost; then errno is that of the last one lost. Without room it is of those behind it,
// too.
std::size_t DatagramQueue::send_singly(int fd, const mmsghdr& message) {
  std::size_t lost = 0;
  int code = 0;
  const std::size_t count = message.msg_hdr.msg_iovlen;
  for (std::size_t i = 0; i < count; ++i) {
    msghdr single = message.msg_hdr;
    single.msg_iov += i;
    single.msg_iovlen = 1;
    if (send_one(fd, single)) continue;
    code = errno;
    if (has_no_room(code)) {
      lost += count - i;
      break;
    }
    lost += 1;
  }
  errno = code;
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
