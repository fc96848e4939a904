#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace offhook {
namespace {

class Seeded final : public Random {
 public:
  void fill(MutableBytes target) override {
    for (std::uint8_t& byte : target) byte = static_cast<std::uint8_t>(engine_() & 0xFFU);
  }

 private:
  std::mt19937 engine_{42};
};

// Gives one byte first, forever another after.
class Stuck final : public Random {
 public:
  Stuck(std::uint8_t first, std::uint8_t then) : next_(first), then_(then) {}
  void fill(MutableBytes target) override {
    for (std::uint8_t& byte : target) byte = next_;
    next_ = then_;
  }

 private:
  std::uint8_t next_;
  std::uint8_t then_;
};

TEST(Random, BelowStaysBelowAndReachesAll) {
  Seeded random;
  for (const std::uint64_t bound : {1ULL, 2ULL, 3ULL, 7ULL, 16384ULL}) {
    for (int i = 0; i < 1000; ++i) ASSERT_LT(random.below(bound), bound);
  }
  std::array<int, 10> seen{};
  for (int i = 0; i < 10000; ++i) seen[random.below(10)] += 1;
  for (const int count : seen) {
    EXPECT_GT(count, 850);
    EXPECT_LT(count, 1150);
  }
}

TEST(Random, BelowRejectsTheUnevenTail) {
  Stuck random(0xFF, 0x00);  // 2^64 - 1 lies in the tail of every bound that is no power of two
  EXPECT_EQ(random.below(10), 0U);
  Stuck high(0x7F, 0x00);
  EXPECT_EQ(high.below(10), 0x7F7F7F7F7F7F7F7FULL % 10);
}

}  // namespace
}  // namespace offhook
