#pragma once
// When a shard waits a moment before it looks for more. At 100,000 packets a second an idle processor that is
// woken for each of them spends more on that than on the packet; what has come meanwhile is taken together.
// Where little comes nothing waits, and where much comes there is more already.

#include <cstddef>

#include "base/time.h"

namespace offhook::relay {

class Gathering {
 public:
  // A packet waits no longer than this for others.
  static constexpr Duration kPause = std::chrono::microseconds(250);
  // From so many packets a second on two come in a pause, on average.
  static constexpr std::size_t kPacketsPerSecond = 8'000;
  // The same of a shard whose core is about half busy: to be woken half as often leaves it room to relay
  // more.
  static constexpr Duration kLongPause = std::chrono::microseconds(500);
  static constexpr std::size_t kPacketsPerBusySecond = 70'000;

  // In this round.
  void note(std::size_t packets) { packets_ += packets; }
  // Once a round, `now` as it was read in it: counts, and says for how long a shard that has nothing to do
  // should wait before it looks again; zero: not at all.
  Duration decide(Instant now) {
    if (now - since_ >= kWindow) {
      pause_ = pause_at(static_cast<double>(packets_) / std::chrono::duration<double>(now - since_).count());
      since_ = now;
      packets_ = 0;
    }
    return pause_;
  }

 private:
  static constexpr Duration pause_at(double packets_a_second) {
    if (packets_a_second >= kPacketsPerBusySecond) return kLongPause;
    return packets_a_second >= kPacketsPerSecond ? kPause : Duration::zero();
  }

  // Long enough to count some eight, short enough that the first quiet moment ends the waiting.
  static constexpr Duration kWindow = std::chrono::milliseconds(1);

  Instant since_{};
  std::size_t packets_ = 0;
  Duration pause_ = Duration::zero();
};

}  // namespace offhook::relay
