#include "service/relay/gathering.h"

#include <gtest/gtest.h>

namespace offhook::relay {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kNone = Duration::zero();
constexpr Duration kShort = microseconds(250);
constexpr Duration kLong = milliseconds(1);

// Rounds a millisecond apart, each with so many packets, and so many of them relayed; what the last says.
Duration after(Gathering& gathering, Instant& now, std::size_t packets, int rounds, std::size_t relayed = 0) {
  Duration pause = kNone;
  for (int i = 0; i < rounds; ++i) {
    gathering.note(packets);
    for (std::size_t each = 0; each < relayed; ++each) gathering.note_relayed();
    now += milliseconds(1);
    pause = gathering.decide(now);
  }
  return pause;
}

TEST(Gathering, WaitsWhereMuchComesAndNowhereElse) {
  Gathering gathering;
  Instant now{std::chrono::hours(1)};
  EXPECT_EQ(gathering.decide(now), kNone);
  EXPECT_EQ(after(gathering, now, 7, 100, 7), kNone);
  EXPECT_EQ(after(gathering, now, 8, 1), kShort);
  EXPECT_EQ(after(gathering, now, 500, 100), kShort) << "who asks waits for the answer";
  EXPECT_EQ(after(gathering, now, 500, 1, 7), kShort);
  EXPECT_EQ(after(gathering, now, 8, 1, 8), kLong);
  EXPECT_EQ(after(gathering, now, 8, 1), kShort);
  EXPECT_EQ(after(gathering, now, 0, 1), kNone);
}

TEST(Gathering, OnePacketAfterAQuietTimeIsNotHeldUp) {
  Gathering gathering;
  Instant now{std::chrono::hours(1)};
  EXPECT_EQ(after(gathering, now, 60, 10), kShort);
  now += std::chrono::seconds(5);
  gathering.note(60);
  EXPECT_EQ(gathering.decide(now), kNone);
}

TEST(Gathering, WhatHasBeenSaidHoldsForAMillisecond) {
  Gathering gathering;
  Instant now{std::chrono::hours(1)};
  EXPECT_EQ(after(gathering, now, 60, 2), kShort);
  now += microseconds(999);
  EXPECT_EQ(gathering.decide(now), kShort);
}

}  // namespace
}  // namespace offhook::relay
