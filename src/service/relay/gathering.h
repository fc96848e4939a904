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

  // In this round.
  void note(std::size_t packets) { packets_ += packets; }
  // Once a round, `now` as it was read in it: counts, and says whether a shard that has nothing to do should
  // wait for kPause before it looks again.
  bool decide(Instant now) {
    if (now - since_ >= kWindow) {
      const auto window = std::chrono::duration<double>(now - since_).count();
      is_busy_ = static_cast<double>(packets_) >= window * kPacketsPerSecond;
      since_ = now;
      packets_ = 0;
    }
    return is_busy_;
  }

 private:
  // Long enough to count some eight, short enough that the first quiet moment ends the waiting.
  static constexpr Duration kWindow = std::chrono::milliseconds(1);

  Instant since_{};
  std::size_t packets_ = 0;
  bool is_busy_ = false;
};

}  // namespace offhook::relay
