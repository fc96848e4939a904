#include "io/loop/clock.h"

#include <sys/prctl.h>

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

// One nanosecond is the least; 0 means the default. A kernel without it pauses longer.
void ask_for_precise_pauses() { (void)prctl(PR_SET_TIMERSLACK, 1UL); }

void pause_for(Duration pause) {
  if (pause <= Duration::zero()) return;
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(pause);
  const timespec wanted{whole.count(), std::chrono::nanoseconds(pause - whole).count()};
  (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wanted, nullptr);
}

}  // namespace offhook::io
