// A callee without a session who is being woken.

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

std::string dialled(const std::string& name) { return "dialled " + call_id(name) + " alice bob"; }
std::string answered(const std::string& name) { return "answered " + call_id(name); }

TEST(Waking, EachDialIsToldOnceAndEachAnswerOnce) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, dial("1", "bob"));
  EXPECT_EQ(exchange.for_wakers, std::vector<std::string>{dialled("1")});
  exchange.send(bob, accept("1"));
  exchange.send(bob, accept("1"));
  EXPECT_EQ(exchange.for_wakers, (std::vector<std::string>{dialled("1"), answered("1")}));
}

// The socket does not wait for whoever wakes.
TEST(Waking, DevicesThatAreOnlineRingBeforeAnybodyIsWoken) {
  Settings settings;
  settings.is_own_relay = [](const Address&) { return false; };
  SeededRandom random(1);
  Server server(settings, random);
  Outbox outbox;
  const Instant now{std::chrono::hours(1)};
  server.handle_hello(ConnectionId{1}, {.user = "alice"}, std::nullopt, now, outbox);
  server.handle_hello(ConnectionId{2}, {.user = "bob"}, std::nullopt, now, outbox);
  outbox.clear();
  server.handle_frame(ConnectionId{1}, signal::parse_client_frame("{\"seq\":1," + dial("1", "bob") + "}"),
                      now, outbox);
  std::vector<std::string> order;
  for (const Effect& effect : outbox) {
    const auto* frame = std::get_if<SendFrame>(&effect);
    if (frame != nullptr && frame->connection == ConnectionId{2}) order.emplace_back("incoming");
    if (std::holds_alternative<CallDialled>(effect)) order.emplace_back("dialled");
  }
  EXPECT_EQ(order, (std::vector<std::string>{"incoming", "dialled"}));
}

TEST(Waking, NobodyIsWokenForACallThatIsBusyAtOnce) {
  Settings settings;
  settings.max_incoming_calls_per_session = 1;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.for_wakers.clear();
  exchange.send(alice, dial("2", "bob"));
  EXPECT_EQ(alice.inbox.back(), "ended busy");
  EXPECT_EQ(exchange.for_wakers, std::vector<std::string>{});
}

TEST(Waking, ACallGoesOnWithoutADeviceAsLongAsItRings) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.waking("1", Waking::under_way);
  exchange.check();
  exchange.advance_alive(seconds(44));
  EXPECT_EQ(alice.inbox, Inbox{});
  exchange.advance_alive(seconds(2));
  EXPECT_EQ(alice.inbox, Inbox{"ended unreachable"});
  exchange.check();
}

TEST(Waking, ADeviceThatWakesLateRingsAndIsConnected) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o0"));
  exchange.waking("1", Waking::under_way);
  exchange.advance_alive(seconds(40));
  Device& bob = exchange.add("bob");
  EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "offer 0 o0"}));
  const bool tells_age = std::ranges::any_of(bob.frames, [](const std::string& frame) {
    return frame.find(R"("age_ms":40000)") != std::string::npos;
  });
  EXPECT_TRUE(tells_age);
  exchange.send(bob, ringing("1"));
  exchange.send(bob, accept("1"));
  EXPECT_EQ(alice.inbox, (Inbox{"ringing", "accepted"}));
  exchange.check();
}

TEST(Waking, WithoutAnybodyToWakeTheCallerWaitsFiveSeconds) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.advance_alive(seconds(4));
  EXPECT_EQ(alice.inbox, Inbox{});
  exchange.advance_alive(seconds(2));
  EXPECT_EQ(alice.inbox, Inbox{"ended unreachable"});
}

TEST(Waking, WhatFailsLaterBeginsTheFiveSeconds) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.waking("1", Waking::under_way);
  exchange.advance_alive(seconds(20));
  exchange.waking("1", Waking::failed);
  exchange.check();
  exchange.advance_alive(seconds(4));
  EXPECT_EQ(alice.inbox, Inbox{});
  exchange.advance_alive(seconds(2));
  EXPECT_EQ(alice.inbox, Inbox{"ended unreachable"});
}

TEST(Waking, WhatFailsWhileADeviceRingsChangesNothing) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, ringing("1"));
  exchange.waking("1", Waking::under_way);
  exchange.waking("1", Waking::failed);
  exchange.check();
  exchange.advance_alive(seconds(40));
  EXPECT_EQ(alice.inbox, Inbox{"ringing"});
  exchange.advance_alive(seconds(6));
  EXPECT_EQ(alice.inbox, (Inbox{"ringing", "ended no_answer"}));
}

// A woken page that reloads, or is closed by mistake, may come back.
TEST(Waking, ADeviceThatIsLostAgainDoesNotEndTheCall) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.waking("1", Waking::under_way);
  Device& bob = exchange.add("bob");
  exchange.send(bob, R"("type":"bye")");
  exchange.check();
  exchange.advance_alive(seconds(30));
  EXPECT_EQ(alice.inbox, Inbox{});
  Device& again = exchange.add("bob");
  EXPECT_EQ(again.inbox, Inbox{"incoming alice"});
}

TEST(Waking, WordOfACallThatIsOverOrAcceptedIsIgnored) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.waking("1", Waking::under_way);  // unknown
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.waking("1", Waking::under_way);
  exchange.waking("1", Waking::failed);
  exchange.check();
  exchange.send(alice, hangup("1"));
  exchange.waking("1", Waking::failed);
  exchange.check();
  ASSERT_EQ(exchange.records.size(), 1U);
  for (const TimelineEntry& entry : exchange.records[0].timeline)
    EXPECT_EQ(entry.event.find("woken"), std::string::npos);
}

TEST(Waking, TheRecordTellsOfIt) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.waking("1", Waking::under_way);
  exchange.waking("1", Waking::under_way);
  exchange.send(alice, hangup("1"));
  ASSERT_EQ(exchange.records.size(), 1U);
  std::vector<std::string> events;
  for (const TimelineEntry& entry : exchange.records[0].timeline) events.push_back(entry.event);
  EXPECT_EQ(events, (std::vector<std::string>{"dialled, audio and video", "no device of the callee is online",
                                              "devices of the callee are being woken", "ended: canceled"}));
}

}  // namespace
}  // namespace offhook::call
