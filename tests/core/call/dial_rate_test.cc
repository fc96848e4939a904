// A flood of dials is held, its sender is told for how long, and nobody else notices.

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

Settings six_a_minute() {
  Settings settings;
  settings.dials_per_minute = 6;
  return settings;
}

// Dials and gives up, so that no other limit is reached first.
void dial_and_hang_up(Exchange& exchange, Device& from, const std::string& name, const std::string& to) {
  exchange.send(from, dial(name, to));
  exchange.send(from, hangup(name));
}

TEST(DialRate, TheNextDialIsRefusedUntilTheTimeThatTheErrorNames) {
  Exchange exchange(six_a_minute());
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  for (int i = 0; i < 6; ++i) dial_and_hang_up(exchange, alice, std::to_string(i), "bob");
  EXPECT_EQ(exchange.records.size(), 6U);
  (void)bob.take();
  exchange.advance(seconds(4));
  exchange.send(alice, dial("6", "bob"));
  EXPECT_EQ(alice.take().back(), "error too_many_dials");
  EXPECT_NE(alice.frames.back().find(R"("retry_after_ms":6000)"), std::string::npos) << alice.frames.back();
  EXPECT_TRUE(bob.take().empty()) << "a refused dial rings nobody";
  exchange.advance(milliseconds(5999));
  exchange.send(alice, dial("7", "bob"));
  EXPECT_EQ(alice.take().back(), "error too_many_dials");
  exchange.advance(milliseconds(1));
  exchange.send(alice, dial("8", "bob"));
  EXPECT_EQ(bob.take(), Inbox{"incoming alice"});
  exchange.check();
}

TEST(DialRate, CountsAUsersDevicesTogetherAndNewSessionsToo) {
  Exchange exchange(six_a_minute());
  Device& desk = exchange.add("alice");
  Device& pocket = exchange.add("alice");
  exchange.add("bob");
  for (int i = 0; i < 3; ++i) dial_and_hang_up(exchange, desk, "d" + std::to_string(i), "bob");
  for (int i = 0; i < 3; ++i) dial_and_hang_up(exchange, pocket, "p" + std::to_string(i), "bob");
  exchange.send(desk, R"("type":"bye")");
  Device& fresh = exchange.add("alice");
  exchange.send(fresh, dial("6", "bob"));
  EXPECT_EQ(fresh.take(), Inbox{"error too_many_dials"});
}

TEST(DialRate, AFloodOfOneUserTouchesNoCallOfOthers) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  Device& mallory = exchange.add("mallory");
  exchange.add("victim");
  exchange.send(alice, dial("a", "bob"));
  exchange.send(bob, accept("a"));
  (void)alice.take();
  (void)bob.take();
  for (int i = 0; i < 1000; ++i) {
    dial_and_hang_up(exchange, mallory, "m" + std::to_string(i), i % 2 == 0 ? "victim" : "bob");
  }
  EXPECT_EQ(exchange.records.size(), 60U);
  EXPECT_TRUE(alice.take().empty());
  exchange.send(alice, hangup("a"));
  EXPECT_EQ(bob.take().back(), "ended hangup");
  exchange.send(alice, dial("b", "victim"));
  EXPECT_EQ(exchange.server.counts().calls, 1U);
  exchange.check();
}

TEST(DialRate, NothingElseIsCountedAndZeroIsNoLimit) {
  Exchange exchange(six_a_minute());
  Device& alice = exchange.add("alice");
  exchange.add("bob");
  for (int i = 0; i < 20; ++i) exchange.send(alice, dial("same", "bob"));
  for (int i = 0; i < 20; ++i) exchange.send(alice, dial("self", "alice"));
  exchange.send(alice, dial("other", "bob"));
  EXPECT_EQ(exchange.server.counts().calls, 2U);

  Settings none;
  none.dials_per_minute = 0;
  Exchange unlimited(none);
  Device& carol = unlimited.add("carol");
  unlimited.add("bob");
  for (int i = 0; i < 1000; ++i) dial_and_hang_up(unlimited, carol, std::to_string(i), "bob");
  EXPECT_EQ(unlimited.records.size(), 1000U);
}

}  // namespace
}  // namespace offhook::call
