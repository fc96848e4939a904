#pragma once
// Readiness of many descriptors. A shard sees this interface alone, so that another backend (io_uring)
// changes nothing above it. Single-threaded.

#include <cstdint>
#include <memory>
#include <span>

#include "base/time.h"

namespace offhook::io {

struct Interest {
  bool readable = true;
  bool writable = false;
  // Each event comes once, and again only when something is added to its cause: whoever asks for it takes all
  // that there is, or remembers to. It spares the kernel a second look at each descriptor.
  bool once = false;
};

struct Ready {
  std::uint64_t tag = 0;
  bool readable = false;  // also end of stream
  bool writable = false;
  // An error or a hang-up waits on the descriptor; where events come once, also the end of what the other
  // side sends, behind data that may be left to read.
  bool error = false;
};

class Poller {
 public:
  // Events that one wait() returns at most: enough that the wait's cost spreads, few enough that one
  // wake-up stays short.
  static constexpr std::size_t kEventsLimit = 64;

  virtual ~Poller() = default;
  // False if the kernel refuses (out of memory, or the limit of watched descriptors is reached).
  // An event comes again until its cause is gone, but for Interest::once. `tag` comes back with every event.
  [[nodiscard]] virtual bool add(int fd, Interest interest, std::uint64_t tag) = 0;
  [[nodiscard]] virtual bool modify(int fd, Interest interest, std::uint64_t tag) = 0;
  // Needed only if the descriptor stays open: closing one removes it.
  virtual void remove(int fd) = 0;
  // The poller's own descriptor, for a thread that keeps but some (io/net/fd_table.h).
  virtual int fd() const = 0;
  // Waits until something is ready or until `deadline` (kNever: without end); `now` as read last. The span is
  // valid until the next wait().
  virtual std::span<const Ready> wait(Instant deadline, Instant now) = 0;
};

// Null if the kernel has no descriptor left for it; errno says why.
std::unique_ptr<Poller> make_epoll_poller();

}  // namespace offhook::io
