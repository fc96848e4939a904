#include "service/relay/gathering.h"

#include <gtest/gtest.h>

namespace offhook::relay {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Rounds a millisecond apart, each with so many packets; what the last says.
bool after(Gathering& gathering, Instant& now, std::size_t packets, int rounds) {
  bool is_worth_it = false;
  for (int i = 0; i < rounds; ++i) {
    gathering.note(packets);
    now += milliseconds(1);
    is_worth_it = gathering.decide(now);
  }
  return is_worth_it;
}

TEST(Gathering, WaitsWhereMuchComesAndNowhereElse) {
  Gathering gathering;
  Instant now{std::chrono::hours(1)};
  EXPECT_FALSE(gathering.decide(now));
  EXPECT_FALSE(after(gathering, now, 7, 100));
  EXPECT_TRUE(after(gathering, now, 8, 1));
  EXPECT_TRUE(after(gathering, now, 100, 100));
  EXPECT_FALSE(after(gathering, now, 0, 1));
}

TEST(Gathering, OnePacketAfterAQuietTimeIsNotHeldUp) {
  Gathering gathering;
  Instant now{std::chrono::hours(1)};
  EXPECT_TRUE(after(gathering, now, 60, 10));
  now += std::chrono::seconds(5);
  gathering.note(60);
  EXPECT_FALSE(gathering.decide(now));
}

TEST(Gathering, WhatHasBeenSaidHoldsForAMillisecond) {
  Gathering gathering;
  Instant now{std::chrono::hours(1)};
  EXPECT_TRUE(after(gathering, now, 60, 2));
  now += microseconds(999);
  EXPECT_TRUE(gathering.decide(now));
}

}  // namespace
}  // namespace offhook::relay
