#pragma once
// What AF_XDP sockets that send over one interface share (the kernel's af_xdp.rst): the frames, in memory
// that the kernel reads, and its word of which it is done with. A transmit queue takes one such set at a
// time, and a virtual interface has one queue; so all senders of an interface share one.

#include <linux/if_xdp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/loop/fd.h"
#include "io/net/mapped_memory.h"

namespace offhook::io {

// Entries between the kernel and a socket, in memory that both see: whoever puts in moves `producer` when the
// entry is there, whoever takes out moves `consumer` when it is read.
class XdpRing {
 public:
  XdpRing() = default;
  // `count` entries, a power of two, of `entry_bytes` each; `which` is one of the kernel's XDP_PGOFF_...
  // Fails with an errno.
  static Result<XdpRing, int> map(int socket, const xdp_ring_offset& offsets, std::uint64_t which,
                                  std::size_t count, std::size_t entry_bytes);

  std::uint32_t produced() const;
  std::uint32_t consumed() const;
  void set_produced(std::uint32_t value);
  void set_consumed(std::uint32_t value);
  std::uint32_t size() const { return mask_ + 1; }
  template <typename Entry>
  Entry& entry(std::uint32_t at) {
    return *(reinterpret_cast<Entry*>(memory_.bytes().data() + offsets_.desc) + (at & mask_));
  }

 private:
  std::uint32_t& word(std::uint64_t offset) const {
    return *reinterpret_cast<std::uint32_t*>(memory_.bytes().data() + offset);
  }

  MappedMemory memory_;
  xdp_ring_offset offsets_{};
  std::uint32_t mask_ = 0;
};

class XdpQueue {
 public:
  // Of the memory for a frame; the least that the kernel allows.
  static constexpr std::size_t kFrameBytes = 2048;
  static constexpr std::size_t kCacheLineBytes = 64;
  static constexpr std::size_t kShifts = 8;
  // Any frame of Ethernet without jumbo frames.
  static constexpr std::size_t kFrameBytesLimit = kFrameBytes - (kShifts - 1) * kCacheLineBytes;
  static_assert(kFrameBytesLimit >= 1514);

  // On the first queue of `interface`, with `frames_each` frames for each of `users` senders. Fails with an
  // errno: EOPNOTSUPP before Linux 6.18.2, EPERM without CAP_NET_RAW, EBUSY while another program has the
  // queue, ENOBUFS where the process may not lock so much memory, EAFNOSUPPORT in a sandbox, ENODEV.
  static Result<std::shared_ptr<XdpQueue>, int> open(int interface, std::size_t users,
                                                     std::size_t frames_each);

  int interface() const { return interface_; }
  std::size_t frames_each() const { return frames_each_; }
  // A socket with a ring to send by. Of the thread that has opened the queue. Fails with an errno.
  struct Sender {
    Fd socket;
    XdpRing ring;
  };
  Result<Sender, int> open_sender() const;
  // `number`: of `user`, the frames_each() from user * frames_each() on.
  MutableBytes frame(std::uint32_t number) const {
    const std::size_t start = start_of_frame(number);
    return memory_.bytes().subspan(start, (number + 1) * kFrameBytes - start);
  }
  // In the memory, as the kernel is told. Frames that all began at the same place of a page would drive each
  // other out of the first cache: each begins a cache line further than the one before.
  static std::size_t start_of_frame(std::uint32_t number) {
    return number * kFrameBytes + number % kShifts * kCacheLineBytes;
  }
  static std::uint32_t frame_at(std::uint64_t place) {
    return static_cast<std::uint32_t>(place / kFrameBytes);
  }
  // Adds those of `user` that the kernel is done with to `free`. Any thread.
  void reclaim(std::size_t user, std::vector<std::uint32_t>& free);

 private:
  XdpQueue(int interface, std::size_t users, std::size_t frames_each)
      : interface_(interface), frames_each_(frames_each), done_(users) {}
  bool set_up();  // false with an errno

  int interface_;
  std::size_t frames_each_;
  MappedMemory memory_;
  Fd socket_;  // has the memory and the queue; sends nothing itself
  std::mutex lock_;
  XdpRing completed_;
  std::vector<std::vector<std::uint32_t>> done_;  // of each user, until it asks
};

}  // namespace offhook::io
