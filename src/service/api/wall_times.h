#pragma once

#include "base/time.h"

namespace offhook::service {

// What the clock on the wall showed at instants that are past. An instant has the same time whenever it is
// asked for, unless the clock has been set since.
class WallTimes {
 public:
  explicit WallTimes(const Now& anchor) : anchor_(anchor) {}

  UnixTime at(Instant instant, const Now& now) {
    const auto off = now.wall.seconds - shown(now.monotonic).seconds;
    if (off > kDriftSeconds || off < -kDriftSeconds) anchor_ = now;
    return shown(instant);
  }

 private:
  // The clock is read in whole seconds, and slewed a little; more than this is a step.
  static constexpr std::int64_t kDriftSeconds = 2;

  UnixTime shown(Instant instant) const {
    return anchor_.wall + std::chrono::floor<std::chrono::seconds>(instant - anchor_.monotonic);
  }

  Now anchor_;
};

}  // namespace offhook::service
