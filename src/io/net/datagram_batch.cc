#include "io/net/datagram_batch.h"

#include <algorithm>

namespace offhook::io {
namespace {

constexpr std::size_t kDatagramBytesLimit = 65535;
constexpr std::size_t kCacheLineBytes = 64;

// Whole cache lines, and never a multiple of a page: slots that start at the same place of their page would
// fight over the same few lines of the first-level cache.
std::size_t stride_for(std::size_t headroom_bytes, std::size_t tailroom_bytes) {
  const std::size_t bytes = headroom_bytes + kDatagramBytesLimit + tailroom_bytes;
  const std::size_t lines = (bytes + kCacheLineBytes - 1) / kCacheLineBytes;
  return (lines | 1U) * kCacheLineBytes;
}

}  // namespace

DatagramBatch::DatagramBatch(std::size_t slots, std::size_t headroom_bytes, std::size_t tailroom_bytes)
    : headroom_bytes_(headroom_bytes),
      stride_(stride_for(headroom_bytes, tailroom_bytes)),
      memory_(std::make_unique_for_overwrite<std::uint8_t[]>(slots * stride_)),
      headers_(slots),
      parts_(slots),
      from_(slots) {
  for (std::size_t i = 0; i < slots; ++i) {
    parts_[i] = {slot(i).data() + headroom_bytes, kDatagramBytesLimit};
    msghdr& header = headers_[i].msg_hdr;
    header = {};
    header.msg_name = &from_[i];
    header.msg_iov = &parts_[i];
    header.msg_iovlen = 1;
  }
}

std::size_t DatagramBatch::receive(int fd, std::size_t limit) {
  const std::size_t wanted = std::min(limit, free_slots());
  if (wanted == 0) return 0;
  for (std::size_t i = used_; i < used_ + wanted; ++i)
    headers_[i].msg_hdr.msg_namelen = sizeof(SocketAddress);
  const int count = recvmmsg(fd, &headers_[used_], static_cast<unsigned>(wanted), MSG_DONTWAIT, nullptr);
  if (count <= 0) return 0;
  used_ += static_cast<std::size_t>(count);
  return static_cast<std::size_t>(count);
}

DatagramBatch::Datagram DatagramBatch::datagram(std::size_t index) const {
  return {slot(index), headroom_bytes_, headers_[index].msg_len, to_address(from_[index])};
}

}  // namespace offhook::io
