#include "io/loop/clock.h"

#include <ctime>

namespace offhook::io {

Now read_now() {
  timespec monotonic{};
  timespec wall{};
  // Neither call can fail for these two clocks; both are answered without entering the kernel.
  (void)clock_gettime(CLOCK_MONOTONIC, &monotonic);
  (void)clock_gettime(CLOCK_REALTIME_COARSE, &wall);
  const Duration since_boot =
      std::chrono::seconds(monotonic.tv_sec) + std::chrono::nanoseconds(monotonic.tv_nsec);
  return {Instant(since_boot), UnixTime{wall.tv_sec}};
}

}  // namespace offhook::io
