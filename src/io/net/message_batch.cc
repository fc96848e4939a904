#include "io/net/message_batch.h"

#include <cassert>
#include <cerrno>

namespace offhook::io {

MessageBatch::MessageBatch(std::size_t limit)
    : headers_(limit), parts_(limit), destinations_(limit), messages_(limit), tags_(limit) {}

void MessageBatch::add(std::size_t header_bytes, socklen_t destination_bytes, Bytes payload,
                       std::size_t tag) {
  assert(!full() && header_bytes <= kHeaderBytesLimit);
  const std::size_t at = used_++;
  // The kernel only reads; iovec serves both directions and so has no const.
  parts_[at] = {iovec{headers_[at].data(), header_bytes},
                iovec{const_cast<std::uint8_t*>(payload.data()), payload.size()}};
  msghdr& message = messages_[at].msg_hdr;
  message = {};
  message.msg_name = &destinations_[at];
  message.msg_namelen = destination_bytes;
  message.msg_iov = parts_[at].data();
  message.msg_iovlen = parts_[at].size();
  tags_[at] = tag;
}

std::size_t MessageBatch::send_from(int fd, std::size_t first, bool& has_room) {
  const auto count = static_cast<unsigned>(used_ - first);
  const int sent = sendmmsg(fd, &messages_[first], count, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) return static_cast<std::size_t>(sent);
  has_room = errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS;
  return 0;
}

}  // namespace offhook::io
