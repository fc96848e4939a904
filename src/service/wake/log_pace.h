#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/time.h"

namespace offhook::service {

// Lines of one kind that others can cause go into the log once in a while.
class LogPace {
 public:
  static constexpr std::chrono::seconds kInterval{10};

  // How many were left out since the last line; nothing if this one is to be left out too.
  std::optional<std::uint64_t> take(Instant now) {
    if (now < next_at_) {
      left_out_ += 1;
      return std::nullopt;
    }
    next_at_ = now + kInterval;
    return std::exchange(left_out_, 0);
  }

 private:
  Instant next_at_{};
  std::uint64_t left_out_ = 0;
};

}  // namespace offhook::service
