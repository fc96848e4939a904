#include "service/signal/frame_rate.h"

#include <gtest/gtest.h>

namespace offhook::service {
namespace {

using std::chrono::milliseconds;

TEST(FrameRate, AllowsTheBurstThenTheRate) {
  FrameRate rate(10, 3);
  Instant now = Instant(std::chrono::hours(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rate.take(now));
  EXPECT_FALSE(rate.take(now));
  EXPECT_FALSE(rate.take(now + milliseconds(99)));
  EXPECT_TRUE(rate.take(now + milliseconds(100)));
  EXPECT_FALSE(rate.take(now + milliseconds(100)));
}

TEST(FrameRate, SavesNoMoreThanTheBurst) {
  FrameRate rate(10, 3);
  const Instant later = Instant(std::chrono::hours(5));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rate.take(later));
  EXPECT_FALSE(rate.take(later));
}

}  // namespace
}  // namespace offhook::service
