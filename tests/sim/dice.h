#pragma once
// Chance from a seed. Each thing that rolls has dice of its own, so that leaving one thing out of a plan does
// not change what the others roll.

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstdint>

#include "base/random.h"
#include "base/time.h"

namespace offhook::sim {

class Dice final : public Random {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  Dice(std::uint64_t seed, std::uint64_t of) : state_(mixed(seed ^ mixed(of))) {}

  void fill(MutableBytes target) override {
    for (std::uint8_t& byte : target) byte = static_cast<std::uint8_t>(roll() & 0xFFU);
  }

  std::uint64_t roll() { return mixed(state_ += 0x9E3779B97F4A7C15ULL); }
  // In [0, bound). The bias of the remainder does not matter here.
  std::uint64_t under(std::uint64_t bound) {
    assert(bound > 0);
    return roll() % bound;
  }
  bool percent(std::uint64_t chance) { return under(100) < chance; }
  Duration between(Duration least, Duration most) {
    if (most <= least) return least;
    return least + Duration(under(static_cast<std::uint64_t>((most - least).count())));
  }
  // Short spans as often as long ones: each doubling has the same chance.
  Duration scaled(Duration least, Duration most) {
    if (most <= least) return least;
    const Duration unit = least > Duration::zero() ? least : std::chrono::milliseconds(1);
    std::uint64_t doublings = 0;
    while (unit * (1LL << doublings) < most) doublings += 1;
    const Duration range = unit * (1LL << under(doublings + 1));
    return std::min(most, between(range / 2, range) + least);
  }

 private:
  static std::uint64_t mixed(std::uint64_t value) {
    value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31U);
  }

  std::uint64_t state_;
};

}  // namespace offhook::sim
