#include "service/wake/log_pace.h"

#include <gtest/gtest.h>

namespace offhook::service {
namespace {

TEST(LogPace, LetsALineThroughNowAndThenAndCountsTheOthers) {
  LogPace pace;
  const Instant now{std::chrono::hours(1)};
  EXPECT_EQ(pace.take(now), 0U);
  EXPECT_EQ(pace.take(now), std::nullopt);
  EXPECT_EQ(pace.take(now + std::chrono::milliseconds(9'999)), std::nullopt);
  EXPECT_EQ(pace.take(now + std::chrono::seconds(10)), 2U);
  EXPECT_EQ(pace.take(now + std::chrono::seconds(30)), 0U);
}

}  // namespace
}  // namespace offhook::service
