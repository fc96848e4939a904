#include "io/loop/wake_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace offhook::io {

WakeUp::WakeUp() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void WakeUp::ring() const {
  const std::uint64_t one = 1;
  // Fails only when 2^64 - 1 rings wait, and then the loop wakes anyway.
  [[maybe_unused]] const ssize_t written = write(fd_.get(), &one, sizeof one);
}

void WakeUp::clear() const {
  std::uint64_t rings = 0;
  [[maybe_unused]] const ssize_t taken = read(fd_.get(), &rings, sizeof rings);
}

}  // namespace offhook::io
