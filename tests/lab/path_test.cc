// What a link of the laboratory does to packets, with a clock that the test moves.

#include "path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace offhook::lab {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Time kBegin = std::chrono::hours(1);

std::vector<std::byte> udp_packet(std::uint16_t source, std::uint16_t destination, std::size_t size = 100) {
  std::vector<std::byte> packet(size);
  packet[0] = std::byte{0x45};
  packet[9] = std::byte{17};
  packet[20] = static_cast<std::byte>(source >> 8);
  packet[21] = static_cast<std::byte>(source & 0xFF);
  packet[22] = static_cast<std::byte>(destination >> 8);
  packet[23] = static_cast<std::byte>(destination & 0xFF);
  return packet;
}

std::unique_ptr<Packet> marked(char mark) {
  auto packet = std::make_unique<Packet>();
  packet->bytes[0] = static_cast<std::byte>(mark);
  packet->size = 1;
  return packet;
}

std::string taken(Path& path, Time now) {
  std::string marks;
  while (const auto packet = path.take_due(now)) marks += std::to_integer<char>(packet->bytes[0]);
  return marks;
}

std::vector<bool> losses(std::uint64_t seed, double loss, std::size_t count) {
  Path path(seed);
  Conditions conditions;
  conditions.loss = loss;
  path.set_conditions(conditions);
  std::vector<bool> lost;
  const auto packet = udp_packet(1, 2);
  for (std::size_t i = 0; i < count; ++i) lost.push_back(!path.admit(packet, kBegin).has_value());
  return lost;
}

TEST(Path, PassesAtOnceByDefault) {
  Path path(1);
  EXPECT_EQ(path.admit(udp_packet(1, 2), kBegin), kBegin);
  EXPECT_EQ(path.counters.entered, 1U);
  EXPECT_EQ(path.counters.entered_bytes, 100U);
}

TEST(Path, DelaysByExactlyTheDelay) {
  Path path(1);
  Conditions conditions;
  conditions.delay = milliseconds(20);
  path.set_conditions(conditions);
  EXPECT_EQ(path.admit(udp_packet(1, 2), kBegin), kBegin + milliseconds(20));
  EXPECT_EQ(path.admit(udp_packet(1, 2), kBegin + microseconds(3)),
            kBegin + milliseconds(20) + microseconds(3));
}

TEST(Path, JitterKeepsTheOrderUnlessAskedNotTo) {
  Conditions conditions;
  conditions.delay = milliseconds(50);
  conditions.jitter = milliseconds(30);
  for (const bool reorder : {false, true}) {
    conditions.reorder = reorder;
    Path path(7);
    path.set_conditions(conditions);
    std::vector<Time> due;
    for (int i = 0; i < 500; ++i) {
      const Time now = kBegin + milliseconds(i);
      const auto at = path.admit(udp_packet(1, 2), now);
      ASSERT_TRUE(at);
      EXPECT_GE(*at - now, milliseconds(20));
      EXPECT_LE(*at - now, milliseconds(80));
      due.push_back(*at);
    }
    EXPECT_EQ(std::is_sorted(due.begin(), due.end()), !reorder);
  }
}

TEST(Path, JitterBeyondTheDelayDoesNotGoBackInTime) {
  Path path(3);
  Conditions conditions;
  conditions.jitter = milliseconds(30);
  conditions.reorder = true;
  path.set_conditions(conditions);
  for (int i = 0; i < 100; ++i) EXPECT_GE(path.admit(udp_packet(1, 2), kBegin), kBegin);
}

TEST(Path, TheSeedDecidesWhichPacketsAreLost) {
  EXPECT_EQ(losses(5, 0.3, 200), losses(5, 0.3, 200));
  EXPECT_NE(losses(5, 0.3, 200), losses(6, 0.3, 200));
}

TEST(Path, LosesTheShareThatItIsTold) {
  const auto lost_of = [](double loss) {
    return static_cast<double>(std::ranges::count(losses(11, loss, 100'000), true));
  };
  EXPECT_EQ(lost_of(0), 0);
  EXPECT_NEAR(lost_of(0.01), 1000, 5 * 31);  // five standard deviations
  EXPECT_NEAR(lost_of(0.2), 20000, 5 * 126);
  EXPECT_EQ(lost_of(1), 100'000);
}

TEST(Path, RateSendsOnePacketAfterTheOtherAndDropsWhatTheQueueDoesNotHold) {
  Path path(1);
  Conditions conditions;
  conditions.rate_bits_per_s = 1e6;
  conditions.queue_limit = milliseconds(20);
  path.set_conditions(conditions);
  const auto packet = udp_packet(1, 2, 1250);  // 10 ms
  EXPECT_EQ(path.admit(packet, kBegin), kBegin + milliseconds(10));
  EXPECT_EQ(path.admit(packet, kBegin), kBegin + milliseconds(20));
  EXPECT_EQ(path.admit(packet, kBegin), kBegin + milliseconds(30));
  EXPECT_EQ(path.admit(packet, kBegin), std::nullopt);
  EXPECT_EQ(path.counters.overflowed, 1U);
  EXPECT_EQ(path.admit(packet, kBegin + milliseconds(100)), kBegin + milliseconds(110));
}

TEST(Path, CutDropsWhatComesAndWhatIsUnderWay) {
  Path path(1);
  path.hold(marked('a'), kBegin);
  Conditions conditions;
  conditions.cut = true;
  path.set_conditions(conditions);
  EXPECT_EQ(path.admit(udp_packet(1, 2), kBegin), std::nullopt);
  EXPECT_EQ(path.held(), 0U);
  EXPECT_EQ(path.counters.cut, 2U);
  conditions.cut = false;
  path.set_conditions(conditions);
  EXPECT_EQ(path.admit(udp_packet(1, 2), kBegin), kBegin);
}

TEST(Path, APortHasItsOwnDelayInBothDirectionsAndHoldsNothingElseUp) {
  Path path(1);
  Conditions conditions;
  conditions.delay = milliseconds(10);
  conditions.rules = {{17, 8080, milliseconds(200)}, {6, 9000, milliseconds(300)}};
  path.set_conditions(conditions);
  EXPECT_EQ(path.admit(udp_packet(1000, 8080), kBegin), kBegin + milliseconds(200));
  EXPECT_EQ(path.admit(udp_packet(8080, 1000), kBegin), kBegin + milliseconds(200));
  EXPECT_EQ(path.admit(udp_packet(1000, 8081), kBegin), kBegin + milliseconds(10));
  EXPECT_EQ(path.admit(udp_packet(1000, 9000), kBegin), kBegin + milliseconds(10));  // the rule is for TCP
}

TEST(Path, WhatHasNoPortsFollowsTheDefault) {
  Path path(1);
  Conditions conditions;
  conditions.rules = {{17, 0x4500, milliseconds(200)}, {17, 0, milliseconds(200)}};
  path.set_conditions(conditions);
  auto later_fragment = udp_packet(0, 0);
  later_fragment[7] = std::byte{1};
  EXPECT_EQ(path.admit(later_fragment, kBegin), kBegin);
  EXPECT_EQ(path.admit(std::span(later_fragment).first(3), kBegin), kBegin);
  EXPECT_EQ(path.admit({}, kBegin), kBegin);
  const auto whole = udp_packet(0, 0);
  EXPECT_EQ(path.admit(std::span(whole).first(23), kBegin), kBegin);  // ends within the ports
  EXPECT_EQ(path.admit(whole, kBegin), kBegin + milliseconds(200));
}

TEST(Path, PortsOfIpv6) {
  Path path(1);
  Conditions conditions;
  conditions.rules = {{17, 8080, milliseconds(200)}};
  path.set_conditions(conditions);
  std::vector<std::byte> packet(60);
  packet[0] = std::byte{0x60};
  packet[6] = std::byte{17};
  packet[42] = std::byte{8080 >> 8};
  packet[43] = std::byte{8080 & 0xFF};
  EXPECT_EQ(path.admit(packet, kBegin), kBegin + milliseconds(200));
}

TEST(Path, HeldPacketsLeaveInTheOrderOfTheirTimes) {
  Path path(1);
  EXPECT_EQ(path.next_due(), std::nullopt);
  path.hold(marked('c'), kBegin + milliseconds(30));
  path.hold(marked('a'), kBegin + milliseconds(10));
  path.hold(marked('b'), kBegin + milliseconds(10));
  EXPECT_EQ(path.next_due(), kBegin + milliseconds(10));
  EXPECT_EQ(taken(path, kBegin + milliseconds(9)), "");
  EXPECT_EQ(taken(path, kBegin + milliseconds(10)), "ab");
  EXPECT_EQ(path.held(), 1U);
  EXPECT_EQ(taken(path, kBegin + milliseconds(31)), "c");
}

}  // namespace
}  // namespace offhook::lab
