#include "io/net/datagram_batch.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

namespace offhook::io {
namespace {

constexpr std::size_t kDatagramBytesLimit = 65535;
constexpr std::size_t kCacheLineBytes = 64;

std::size_t whole_lines(std::size_t bytes) {
  return (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
}

// Whole cache lines, and never a multiple of a page: slots that start at the same place of their page would
// fight over the same few lines of the first-level cache.
std::size_t stride_for(std::size_t room_bytes) {
  return whole_lines(room_bytes + kDatagramBytesLimit) | kCacheLineBytes;
}

// What the datagrams of one message take at most when each has room of its own.
std::size_t copies_of_slot(std::size_t room_bytes) {
  return kDatagramBytesLimit + kMergedLimit * (room_bytes + kCacheLineBytes);
}

bool is_destination(const cmsghdr& part) {
  return (part.cmsg_level == IPPROTO_IP && part.cmsg_type == IP_ORIGDSTADDR) ||
         (part.cmsg_level == IPPROTO_IPV6 && part.cmsg_type == IPV6_ORIGDSTADDR);
}

}  // namespace

DatagramBatch::DatagramBatch(std::size_t slots, std::size_t headroom_bytes, std::size_t tailroom_bytes)
    : headroom_bytes_(headroom_bytes),
      tailroom_bytes_(tailroom_bytes),
      stride_(stride_for(headroom_bytes + tailroom_bytes)),
      memory_(std::make_unique_for_overwrite<std::uint8_t[]>(slots * stride_)),
      headers_(slots),
      parts_(slots),
      from_(slots),
      to_(slots),
      controls_(slots),
      copies_(std::make_unique_for_overwrite<std::uint8_t[]>(
          slots * copies_of_slot(headroom_bytes + tailroom_bytes))) {
  held_.reserve(slots * kMergedLimit);
  for (std::size_t i = 0; i < slots; ++i) {
    parts_[i] = {slot(i) + headroom_bytes, kDatagramBytesLimit};
    msghdr& header = headers_[i].msg_hdr;
    header = {};
    header.msg_name = &from_[i];
    header.msg_iov = &parts_[i];
    header.msg_iovlen = 1;
    header.msg_control = controls_[i].bytes.data();
  }
}

DatagramBatch::Received DatagramBatch::receive(int fd, std::size_t messages) {
  const std::size_t wanted = std::min(messages, free_slots());
  if (wanted == 0) return {0, true};
  for (std::size_t i = used_; i < used_ + wanted; ++i) {
    headers_[i].msg_hdr.msg_namelen = sizeof(SocketAddress);
    headers_[i].msg_hdr.msg_controllen = sizeof(Control);
  }
  const int count = recvmmsg(fd, &headers_[used_], static_cast<unsigned>(wanted), MSG_DONTWAIT, nullptr);
  if (count <= 0) return {};
  const std::size_t before = held_.size();
  for (int i = 0; i < count; ++i) hold(used_++);
  return {held_.size() - before, static_cast<std::size_t>(count) == wanted};
}

void DatagramBatch::hold(std::size_t index) {
  const std::size_t bytes = headers_[index].msg_len;
  const std::size_t each = read_control(index);
  if (each == 0 || each >= bytes) return held_.push_back({slot(index), bytes, index});
  held_.push_back({slot(index), each, index});
  const std::uint8_t* message = slot(index) + headroom_bytes_;
  std::size_t count = 1;
  for (std::size_t at = each; at < bytes && count < kMergedLimit; at += each, ++count)
    copy_to_own_room(message + at, std::min(each, bytes - at), index);
}

// How long each datagram of the message is; 0 if it is one.
std::size_t DatagramBatch::read_control(std::size_t index) {
  msghdr& message = headers_[index].msg_hdr;
  to_[index].any.sa_family = AF_UNSPEC;
  int merged_bytes = 0;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level == SOL_UDP && each->cmsg_type == UDP_GRO)
      std::memcpy(&merged_bytes, CMSG_DATA(each), sizeof merged_bytes);
    else if (is_destination(*each))
      std::memcpy(&to_[index], CMSG_DATA(each),
                  std::min(each->cmsg_len - CMSG_LEN(0), sizeof(SocketAddress)));
  }
  return static_cast<std::size_t>(std::max(0, merged_bytes));
}

void DatagramBatch::copy_to_own_room(const std::uint8_t* datagram, std::size_t size, std::size_t slot) {
  std::uint8_t* storage = copies_.get() + copied_bytes_;
  copied_bytes_ += whole_lines(headroom_bytes_ + size + tailroom_bytes_);
  std::memcpy(storage + headroom_bytes_, datagram, size);
  held_.push_back({storage, size, slot});
}

DatagramBatch::Datagram DatagramBatch::datagram(std::size_t index) const {
  const Held& held = held_[index];
  return {{held.storage, headroom_bytes_ + held.size + tailroom_bytes_},
          headroom_bytes_,
          held.size,
          to_address(from_[held.slot])};
}

std::optional<Address> DatagramBatch::destination(std::size_t index) const {
  return to_address(to_[held_[index].slot]);
}

void DatagramBatch::clear() {
  used_ = 0;
  copied_bytes_ = 0;
  held_.clear();
}

}  // namespace offhook::io
