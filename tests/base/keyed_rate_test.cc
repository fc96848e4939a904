#include "base/keyed_rate.h"

#include <gtest/gtest.h>

#include <string>

namespace offhook {
namespace {

using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

TEST(KeyedRate, GivesTheBurstThenOneAnInterval) {
  KeyedRate<std::string> rate(seconds(2), 3, 10);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(rate.take("a", kStart)) << i;
  EXPECT_EQ(rate.take("a", kStart), seconds(2));
  EXPECT_EQ(rate.take("a", kStart + seconds(1)), seconds(1)) << "a refusal is not counted";
  EXPECT_FALSE(rate.take("a", kStart + seconds(2)));
  EXPECT_EQ(rate.take("a", kStart + seconds(2)), seconds(2));
}

TEST(KeyedRate, OneKeysFloodIsNothingToAnother) {
  KeyedRate<std::string> rate(seconds(1), 2, 10);
  for (int i = 0; i < 100; ++i) (void)rate.take("flood", kStart);
  EXPECT_FALSE(rate.take("calm", kStart));
  EXPECT_FALSE(rate.take("calm", kStart));
}

TEST(KeyedRate, ARestGivesTheBurstBackAndNoMore) {
  KeyedRate<std::string> rate(seconds(1), 2, 10);
  (void)rate.take("a", kStart);
  const Instant later = kStart + std::chrono::hours(5);
  EXPECT_FALSE(rate.take("a", later));
  EXPECT_FALSE(rate.take("a", later));
  EXPECT_TRUE(rate.take("a", later));
}

TEST(KeyedRate, ForgetsWhoHasPaidOff) {
  KeyedRate<int> rate(seconds(1), 2, 1000);
  for (int key = 0; key < 100; ++key) (void)rate.take(key, kStart);
  EXPECT_EQ(rate.size(), 100U);
  for (int key = 0; key < 100; ++key) (void)rate.take(1000, kStart + seconds(100 + key));
  EXPECT_EQ(rate.size(), 1U);
}

TEST(KeyedRate, RemembersNoMoreThanItsLimitAndTheOnesWhoOweMost) {
  KeyedRate<int> rate(seconds(1), 5, 10);
  for (int i = 0; i < 5; ++i) (void)rate.take(-1, kStart);
  for (int key = 0; key < 1000; ++key) (void)rate.take(key, kStart);
  EXPECT_EQ(rate.size(), 10U);
  EXPECT_TRUE(rate.take(-1, kStart)) << "the one who owes most is remembered longest";
}

}  // namespace
}  // namespace offhook
