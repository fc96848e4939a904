#pragma once
// How long packets were under way, counted in classes: a packet costs no memory.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "relay_load/delay_class.h"

namespace offhook::bench {

class Delays {
 public:
  void clear() { *this = {}; }

  void add(std::uint64_t nanoseconds) {
    counts_[delay_class(nanoseconds)] += 1;
    total_ += 1;
  }

  // What a program in the kernel has counted from `before` to `after`.
  void add_between(std::span<const __u64, DELAY_CLASSES> before,
                   std::span<const __u64, DELAY_CLASSES> after) {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      counts_[i] += after[i] - before[i];
      total_ += after[i] - before[i];
    }
  }

  // The nearest-rank percentile in nanoseconds, as the greatest of its class; 0 if nothing was added.
  // `share`: 0 to 1.
  std::uint64_t at(double share) const {
    auto missing = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_)));
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > 0 && counts_[i] >= missing) return greatest_of(i);
      missing -= counts_[i];
    }
    return 0;
  }

 private:
  static constexpr std::size_t kSteps = 1U << DELAY_STEPS_LOG2;

  static std::uint64_t greatest_of(std::size_t index) {
    if (index < DELAY_EXACT) return index;
    const std::size_t halvings = (index - DELAY_EXACT) / kSteps + 1;
    const std::uint64_t step = (index - DELAY_EXACT) % kSteps + kSteps;
    return ((step + 1) << halvings) - 1;
  }

  std::array<std::uint64_t, DELAY_CLASSES> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace offhook::bench
