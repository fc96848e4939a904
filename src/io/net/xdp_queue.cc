#include "io/net/xdp_queue.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "io/net/socket.h"

// Of Linux 6.17; Debian 12's header is older.
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

namespace offhook::io {
namespace {

// What one call sends at most: all that waits in a round.
constexpr int kFramesACall = 64;

// Before Linux 6.17 a call that sends a part does not tell by the ring how many it has sent, so that they
// would be sent again another way. And versions of 6.16 and 6.17 have an error that stops the whole machine
// when a frame goes to another network namespace ("xsk: avoid data corruption on cq descriptor number",
// mended while 6.18 was made).
constexpr std::array<unsigned, 3> kFirstKernel = {6, 18, 2};

bool kernel_is_known_to_work() {
  utsname name{};
  std::array<unsigned, 3> version{};
  return uname(&name) == 0 &&
         std::sscanf(name.release, "%u.%u.%u", &version[0], &version[1], &version[2]) >= 2 &&
         version >= kFirstKernel;
}

Fd open_socket() { return Fd(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)); }

template <typename Value>
bool set_option(int socket, int option, const Value& value) {
  return setsockopt(socket, SOL_XDP, option, &value, sizeof value) == 0;
}

std::optional<xdp_mmap_offsets> offsets_of(int socket) {
  xdp_mmap_offsets offsets{};
  socklen_t length = sizeof offsets;
  if (getsockopt(socket, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0) return std::nullopt;
  return offsets;
}

bool bind_to(int socket, int interface, std::uint16_t flags, int shared_with) {
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_flags = flags;
  address.sxdp_ifindex = static_cast<std::uint32_t>(interface);
  address.sxdp_shared_umem_fd = static_cast<std::uint32_t>(shared_with);
  return bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Result<XdpRing, int> XdpRing::map(int socket, const xdp_ring_offset& offsets, std::uint64_t which,
                                  std::size_t count, std::size_t entry_bytes) {
  XdpRing ring;
  ring.memory_ =
      MappedMemory::map(offsets.desc + count * entry_bytes, MAP_SHARED | MAP_POPULATE, socket, which);
  if (!ring.memory_) return fail(errno);
  ring.offsets_ = offsets;
  ring.mask_ = static_cast<std::uint32_t>(count - 1);
  return ring;
}

std::uint32_t XdpRing::produced() const {
  return std::atomic_ref(word(offsets_.producer)).load(std::memory_order_acquire);
}
std::uint32_t XdpRing::consumed() const {
  return std::atomic_ref(word(offsets_.consumer)).load(std::memory_order_acquire);
}
void XdpRing::set_produced(std::uint32_t value) {
  std::atomic_ref(word(offsets_.producer)).store(value, std::memory_order_release);
}
void XdpRing::set_consumed(std::uint32_t value) {
  std::atomic_ref(word(offsets_.consumer)).store(value, std::memory_order_release);
}

Result<std::shared_ptr<XdpQueue>, int> XdpQueue::open(int interface, std::size_t users,
                                                      std::size_t frames_each) {
  const std::shared_ptr<XdpQueue> queue(new XdpQueue(interface, users, frames_each));
  if (!queue->set_up()) return fail(errno);
  return queue;
}

bool XdpQueue::set_up() {
  if (!kernel_is_known_to_work()) {
    errno = EOPNOTSUPP;
    return false;
  }
  socket_ = open_socket();
  const int fd = socket_.get();
  if (!socket_) return false;
  const std::size_t frames = done_.size() * frames_each_;
  memory_ = MappedMemory::map(frames * kFrameBytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!memory_) return false;
  xdp_umem_reg memory;
  std::memset(&memory, 0, sizeof memory);  // newer kernels read what is padding in Debian 12's header
  memory.addr = reinterpret_cast<std::uintptr_t>(memory_.bytes().data());
  memory.len = memory_.bytes().size();
  memory.chunk_size = kFrameBytes;
  // All frames may be done with before anybody asks. It neither receives nor sends, but must be able to.
  const auto completed = std::bit_ceil(static_cast<std::uint32_t>(frames));
  const std::uint32_t least = 1;
  if (!set_option(fd, XDP_UMEM_REG, memory) || !set_option(fd, XDP_UMEM_COMPLETION_RING, completed) ||
      !set_option(fd, XDP_UMEM_FILL_RING, least) || !set_option(fd, XDP_TX_RING, least))
    return false;
  const auto offsets = offsets_of(fd);
  if (!offsets) return false;
  auto ring = XdpRing::map(fd, offsets->cr, XDP_UMEM_PGOFF_COMPLETION_RING, completed, sizeof(std::uint64_t));
  if (!ring) {
    errno = ring.error();
    return false;
  }
  completed_ = std::move(*ring);
  return bind_to(fd, interface_, XDP_COPY, 0);
}

Result<XdpQueue::Sender, int> XdpQueue::open_sender() const {
  Fd sender = open_socket();
  if (!sender) return fail(errno);
  const auto entries = std::bit_ceil(static_cast<std::uint32_t>(frames_each_));
  if (!set_option(sender.get(), XDP_TX_RING, entries)) return fail(errno);
  (void)set_option(sender.get(), XDP_MAX_TX_SKB_BUDGET, kFramesACall);  // without it: more calls
  set_send_buffer(sender.get(), kListenBufferBytes);
  const auto offsets = offsets_of(sender.get());
  if (!offsets) return fail(errno);
  auto ring = XdpRing::map(sender.get(), offsets->tx, XDP_PGOFF_TX_RING, entries, sizeof(xdp_desc));
  if (!ring) return fail(ring.error());
  if (!bind_to(sender.get(), interface_, XDP_SHARED_UMEM, socket_.get())) return fail(errno);
  return Sender{std::move(sender), std::move(*ring)};
}

void XdpQueue::reclaim(std::size_t user, std::vector<std::uint32_t>& free) {
  const std::lock_guard lock(lock_);
  const std::uint32_t end = completed_.produced();
  std::uint32_t at = completed_.consumed();
  for (; at != end; ++at) {
    const auto number = frame_at(completed_.entry<std::uint64_t>(at));
    if (number / frames_each_ < done_.size()) done_[number / frames_each_].push_back(number);
  }
  completed_.set_consumed(at);
  free.insert(free.end(), done_[user].begin(), done_[user].end());
  done_[user].clear();
}

}  // namespace offhook::io
