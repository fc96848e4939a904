// The app's backend asks a user's devices to make a call; one of them does.

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

std::string dial_as(const signal::CallId& call, const std::string& to) {
  return R"("type":"dial","call":")" + call.text() + R"(","to":")" + to +
         R"(","media":{"audio":true,"video":false})";
}

TEST(Place, AsksEveryDeviceAndTheFirstThatDialsMakesTheCall) {
  Exchange exchange;
  Device& desk = exchange.add("alice");
  Device& pocket = exchange.add("alice");
  Device& bob = exchange.add("bob");
  const Placed placed = exchange.place("alice", "bob");
  EXPECT_EQ(placed.devices, 2U);
  EXPECT_EQ(desk.take(), Inbox{"place bob"});
  EXPECT_EQ(pocket.take(), Inbox{"place bob"});
  EXPECT_TRUE(bob.take().empty()) << "nobody has dialled";
  EXPECT_FALSE(exchange.server.record(placed.call, exchange.now));
  exchange.send(pocket, dial_as(placed.call, "bob"));
  EXPECT_EQ(bob.take(), Inbox{"incoming alice"});
  EXPECT_EQ(desk.take(), Inbox{"ended answered_elsewhere"});
  EXPECT_NE(desk.frames.back().find("The call was made on another device."), std::string::npos);
  EXPECT_TRUE(pocket.take().empty());
  EXPECT_EQ(exchange.server.record(placed.call, exchange.now)->caller, "alice");
  exchange.send(desk, dial_as(placed.call, "bob"));
  EXPECT_EQ(desk.take(), Inbox{"error bad_call_id"}) << "too late";
  EXPECT_EQ(exchange.server.counts().calls, 1U);
  exchange.check();
}

TEST(Place, AReconnectingDeviceIsAskedWithTheAgeWhenItIsBack) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.cut(alice);
  EXPECT_EQ(exchange.place("alice", "bob").devices, 1U);
  exchange.advance(seconds(7));
  exchange.connect(alice);
  EXPECT_EQ(alice.take(), Inbox{"place bob"});
  EXPECT_NE(alice.frames.back().find(R"("age_ms":7000)"), std::string::npos) << alice.frames.back();
}

TEST(Place, NobodyIsAskedWhereNobodyIs) {
  Exchange exchange;
  Device& bob = exchange.add("bob");
  EXPECT_EQ(exchange.place("alice", "bob").devices, 0U);
  EXPECT_TRUE(bob.take().empty());
  exchange.check();
}

// The place that is held for a caller after a restart is no device: it would tell whoever takes it once more.
TEST(Place, APlaceThatIsHeldIsNoDevice) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, dial("2", "carol"));
  exchange.crash();
  EXPECT_EQ(exchange.place("alice", "dave").devices, 0U);
  EXPECT_TRUE(exchange.server.presence("alice").devices.empty());
  exchange.connect(alice);
  (void)alice.take();
  const Placed placed = exchange.place("alice", "dave");
  EXPECT_EQ(placed.devices, 1U);
  EXPECT_EQ(exchange.server.presence("alice").devices.size(), 1U);
  exchange.send(alice, dial_as(placed.call, "dave"));
  exchange.send(alice, snapshot("1", "bob", "caller", "ringing", R"(,"generation":0)"));
  exchange.send(alice, snapshot("2", "carol", "caller", "ringing", R"(,"generation":0)"));
  EXPECT_EQ(alice.take(), Inbox{"place dave"}) << "once, and nothing of another device";
  exchange.check();
}

TEST(Place, NoOtherUserDialsAsThisCall) {
  Exchange exchange;
  exchange.add("alice");
  exchange.add("bob");
  Device& mallory = exchange.add("mallory");
  const Placed placed = exchange.place("alice", "bob");
  exchange.send(mallory, dial_as(placed.call, "bob"));
  EXPECT_EQ(mallory.take(), Inbox{"error bad_call_id"});
  EXPECT_EQ(exchange.server.counts().calls, 0U);
}

TEST(Place, ARefusedDialLeavesTheOthersAsked) {
  Settings settings;
  settings.dials_per_minute = 1;
  Exchange exchange(settings);
  Device& desk = exchange.add("alice");
  Device& pocket = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(desk, dial("1", "bob"));
  const Placed placed = exchange.place("alice", "bob");
  exchange.send(desk, dial_as(placed.call, "bob"));
  EXPECT_EQ(desk.take().back(), "error too_many_dials");
  EXPECT_EQ(pocket.take(), Inbox{"place bob"});
  exchange.advance_alive(seconds(60));
  (void)bob.take();
  exchange.send(pocket, dial_as(placed.call, "bob"));
  EXPECT_EQ(bob.take(), Inbox{"incoming alice"});
}

TEST(Place, FillsNoQueueAndNoTable) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.cut(alice);
  std::size_t asked = 0;
  for (int i = 0; i < 3000; ++i) asked += exchange.place("alice", "bob").devices;
  EXPECT_EQ(asked, Settings{}.max_queued_messages / 2);
  exchange.connect(alice);
  EXPECT_TRUE(alice.resumed) << "the session has not ended of it";
  for (int i = 0; i < 3000; ++i) {
    exchange.acknowledge(alice);
    (void)exchange.place("alice", "bob");
  }
  exchange.check();
}

}  // namespace
}  // namespace offhook::call
