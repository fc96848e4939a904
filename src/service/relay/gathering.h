#pragma once
// When a shard waits a moment before it looks for more. At 100,000 packets a second an idle processor that is
// woken for each of them spends more on that than on the packet; what has come meanwhile is taken together.
// Where little comes nothing waits, and where much comes there is more already.

#include <cstddef>

#include "base/time.h"

namespace offhook::relay {

class Gathering {
 public:
  // From so many packets a second on eight come in a millisecond, on average.
  static constexpr std::size_t kPacketsPerSecond = 8'000;
  // Where so many are relayed: a virtual machine leaves a processor that is idle, and to come back costs it
  // as much as several packets.
  static constexpr Duration kLongPause = std::chrono::milliseconds(1);
  // Where so many come, and most are requests: their clients wait for the answer.
  static constexpr Duration kPause = std::chrono::microseconds(250);

  // In this round.
  void note(std::size_t packets) { packets_ += packets; }
  // Of these, sent on.
  void note_relayed() { ++relayed_; }
  // Once a round, `now` as it was read in it: counts, and says for how long a shard that has nothing to do
  // should wait before it looks again; zero: not at all.
  Duration decide(Instant now) {
    if (now - since_ < kWindow) return pause_;
    pause_ = pause_for(std::chrono::duration<double>(now - since_).count());
    since_ = now;
    packets_ = 0;
    relayed_ = 0;
    return pause_;
  }

 private:
  Duration pause_for(double seconds) const {
    if (static_cast<double>(relayed_) >= kPacketsPerSecond * seconds) return kLongPause;
    return static_cast<double>(packets_) >= kPacketsPerSecond * seconds ? kPause : Duration::zero();
  }

  // Long enough to count some eight, short enough that the first quiet moment ends the waiting.
  static constexpr Duration kWindow = std::chrono::milliseconds(1);

  Instant since_{};
  std::size_t packets_ = 0;
  std::size_t relayed_ = 0;
  Duration pause_ = Duration::zero();
};

}  // namespace offhook::relay
