#pragma once

#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace offhook::service {

// Frames a second with a burst, as one instant: when the frames taken so far would be paid off at the allowed
// rate.
class FrameRate {
 public:
  FrameRate(std::uint32_t frames_per_second, std::uint32_t burst)
      : interval_(Duration(std::chrono::seconds(1)) / frames_per_second), credit_(interval_ * burst) {}

  // False if this frame is one too many; it is not counted then.
  bool take(Instant now) {
    const Instant paid_off = (paid_off_ > now ? paid_off_ : now) + interval_;
    if (paid_off - now > credit_) return false;
    paid_off_ = paid_off;
    return true;
  }

 private:
  Duration interval_;
  Duration credit_;
  Instant paid_off_{};
};

}  // namespace offhook::service
