#include "io/net/descriptor_queue.h"

#include <sys/socket.h>

#include <array>
#include <cstring>
#include <utility>

#include "io/net/socket.h"

namespace offhook::io {
namespace {

// What the kernel charges the sender for one small message, rounded up.
constexpr std::size_t kMessageBytes = 1024;

using Control = std::array<std::uint8_t, CMSG_SPACE(sizeof(int))>;

// One label, and room for one descriptor beside it.
struct Message {
  explicit Message(std::uint64_t& label) : part{&label, sizeof label} {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  alignas(cmsghdr) Control control{};
  iovec part;
  msghdr header{};
};

}  // namespace

DescriptorQueue::DescriptorQueue(std::size_t limit) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) return;
  in_ = Fd(ends[0]);
  out_ = Fd(ends[1]);
  set_send_buffer(in_.get(), static_cast<int>(limit * kMessageBytes));
}

bool DescriptorQueue::push(std::uint64_t label, Fd descriptor) {
  Message message(label);
  cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = descriptor.get();
  std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  return sendmsg(in_.get(), &message.header, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof label;
}

std::optional<DescriptorQueue::Labelled> DescriptorQueue::pop() {
  Labelled next;
  Message message(next.label);
  const ssize_t count = recvmsg(out_.get(), &message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count != sizeof next.label) return std::nullopt;
  const cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  const bool has_descriptor = rights != nullptr && rights->cmsg_level == SOL_SOCKET &&
                              rights->cmsg_type == SCM_RIGHTS && rights->cmsg_len == CMSG_LEN(sizeof(int));
  if (!has_descriptor) return next;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  next.descriptor = Fd(fd);
  return next;
}

}  // namespace offhook::io
