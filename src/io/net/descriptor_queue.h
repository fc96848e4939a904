#pragma once
// Open descriptors on their way between threads that have tables of their own (fd_table.h). While one waits
// here it has no number and is in no table; the kernel holds it. Any thread may call, one at a time.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "io/loop/fd.h"

namespace offhook::io {

class DescriptorQueue {
 public:
  // Room for `limit` descriptors, or fewer if the system allows less. Without two descriptors for its own use
  // the queue takes in nothing.
  explicit DescriptorQueue(std::size_t limit);

  // False if it does not fit; `descriptor` is closed either way, and lives on in the queue if it was taken.
  [[nodiscard]] bool push(std::uint64_t label, Fd descriptor);
  struct Labelled {
    std::uint64_t label = 0;
    Fd descriptor;  // none if the calling thread's table is full; it is lost then
  };
  // The oldest; nothing if the queue is empty.
  std::optional<Labelled> pop();

  // Readable while a descriptor waits.
  int readable_fd() const { return out_.get(); }
  // Whether the queue has its own two descriptors.
  explicit operator bool() const { return bool(in_) && bool(out_); }
  // What a thread must keep in its table to use the queue.
  std::vector<int> fds() const { return {in_.get(), out_.get()}; }

 private:
  Fd in_;
  Fd out_;
};

}  // namespace offhook::io
