// The control language of the laboratory's links.

#include "orders.h"

#include <gtest/gtest.h>

#include <string>

namespace offhook::lab {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class NobodyWatches final : public LinkObserver {
 public:
  void added(Link&) override {}
  void removing(Link&) override { ++removed; }
  int removed = 0;
};

class Orders : public testing::Test {
 protected:
  Orders() { links.by_id.emplace("a", std::make_unique<Link>(FileDescriptor(), FileDescriptor(), 1)); }

  std::string say(std::string_view line) { return obey(line, links, observer); }
  const Conditions& up() { return links.by_id.at("a")->up.path.conditions(); }
  const Conditions& down() { return links.by_id.at("a")->down.path.conditions(); }

  Links links;
  NobodyWatches observer;
};

constexpr const char* kOk = R"({"ok":true})";

TEST_F(Orders, SetChangesWhatIsNamedInTheDirectionThatIsNamed) {
  EXPECT_EQ(say("set a both delay_ms 20 loss 0.05"), kOk);
  EXPECT_EQ(say("set a up delay_ms 1.5 jitter_ms 3 rate_kbit 500 queue_ms 40 reorder 1"), kOk);
  EXPECT_EQ(up().delay, microseconds(1500));
  EXPECT_EQ(up().jitter, milliseconds(3));
  EXPECT_EQ(up().loss, 0.05);
  EXPECT_EQ(up().rate_bits_per_s, 500'000);
  EXPECT_EQ(up().queue_limit, milliseconds(40));
  EXPECT_TRUE(up().reorder);
  EXPECT_EQ(down().delay, milliseconds(20));
  EXPECT_EQ(down().rate_bits_per_s, 0);
  EXPECT_FALSE(down().reorder);
  EXPECT_EQ(say("set a down cut 1"), kOk);
  EXPECT_TRUE(down().cut);
  EXPECT_FALSE(up().cut);
}

TEST_F(Orders, Rules) {
  EXPECT_EQ(say("set a both rules tcp:8080:100,udp:3478:5.5"), kOk);
  ASSERT_EQ(up().rules.size(), 2U);
  EXPECT_EQ(up().rules[0].protocol, 6);
  EXPECT_EQ(up().rules[0].port, 8080);
  EXPECT_EQ(up().rules[1].protocol, 17);
  EXPECT_EQ(up().rules[1].delay, microseconds(5500));
  EXPECT_EQ(say("set a both rules none"), kOk);
  EXPECT_TRUE(up().rules.empty());
}

TEST_F(Orders, WhatIsNotUnderstoodChangesNothing) {
  ASSERT_EQ(say("set a both delay_ms 20"), kOk);
  for (const char* rest : {"delay_ms -1", "delay_ms x", "delay_ms 1e9", "delay_ms inf", "delay_ms nan",
                           "delay_ms 1x", "loss 1.5", "cut 2", "rules tcp:8080", "rules icmp:1:1",
                           "rules tcp:70000:1", "speed 5", "delay_ms"}) {
    EXPECT_NE(say(std::string("set a both delay_ms 30 ") + rest), kOk) << rest;
    EXPECT_EQ(up().delay, milliseconds(20)) << rest;
  }
  EXPECT_EQ(say("set a sideways delay_ms 1"), R"({"ok":false,"error":"no direction sideways"})");
  EXPECT_EQ(say("set b up delay_ms 1"), R"({"ok":false,"error":"no link b"})");
  EXPECT_EQ(say("dance"), R"({"ok":false,"error":"no order dance"})");
  EXPECT_EQ(say(""), R"({"ok":false,"error":"an empty line"})");
  EXPECT_EQ(say("dan\"ce"), R"({"ok":false,"error":"no order dan'ce"})");
}

TEST_F(Orders, CountAndRemove) {
  EXPECT_EQ(say("add a n d m e 1"), R"({"ok":false,"error":"there is a link a already"})");
  EXPECT_NE(say("count a").find(R"("up":{"entered":0,)"), std::string::npos);
  EXPECT_EQ(say("remove a"), kOk);
  EXPECT_EQ(observer.removed, 1);
  EXPECT_EQ(say("count a"), R"({"ok":false,"error":"no link a"})");
}

TEST_F(Orders, ANamespaceThatIsNotThere) {
  const std::string answer = say("add b offhook-no-such-namespace wan offhook-no-such-namespace far 1");
  EXPECT_NE(answer.find("No such file"), std::string::npos) << answer;
}

}  // namespace
}  // namespace offhook::lab
