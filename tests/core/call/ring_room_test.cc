// Whoever rings a device must not be able to end its session, or a call that its user has chosen.

#include <algorithm>

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

// Everything that a caller may send before an accept: an offer and 100 candidates.
void ring_with_all(Exchange& exchange, Device& caller, const std::string& name, const std::string& callee,
                   const std::string& sdp = "o") {
  exchange.send(caller, dial(name, callee));
  exchange.send(caller, offer(name, 0, sdp));
  for (int i = 0; i < 100; ++i) exchange.send(caller, candidate(name, 0, "k" + std::to_string(i)));
  exchange.acknowledge(caller);
}

std::ptrdiff_t count(const Inbox& inbox, const std::string& message) {
  return std::count(inbox.begin(), inbox.end(), message);
}

// Eight calls of four users, two each.
void storm(Exchange& exchange, const std::string& callee, const std::string& sdp = "o") {
  for (const std::string user : {"mallory", "oscar", "trudy", "eve"}) {
    Device& caller = exchange.add(user);
    ring_with_all(exchange, caller, user + "1", callee, sdp);
    ring_with_all(exchange, caller, user + "2", callee, sdp);
    EXPECT_EQ(caller.closes, Inbox{});
    exchange.check();
  }
}

void end_storm(Exchange& exchange) {
  for (Device& device : exchange.devices) {
    for (const std::string number : {"1", "2"}) exchange.send(device, hangup(device.user + number));
  }
}

TEST(RingRoom, RingingCallsDoNotEndASessionOrItsLiveCall) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.cut(bob);
  storm(exchange, "bob");
  EXPECT_EQ(alice.inbox, Inbox{"accepted"});
  exchange.connect(bob);
  EXPECT_TRUE(bob.resumed);
  EXPECT_EQ(bob.closes, Inbox{});
  EXPECT_GE(count(bob.inbox, "incoming mallory"), 2);
  EXPECT_LE(bob.received, Settings{}.max_queued_messages / 2 + 8);
  exchange.check();
}

// Few enough messages, and 1.4 MB of them.
TEST(RingRoom, RingingCallsDoNotEndASessionByTheirBytes) {
  Exchange exchange;
  Device& bob = exchange.add("bob");
  exchange.cut(bob);
  for (int caller = 0; caller < 8; ++caller) {
    const std::string name = std::to_string(caller);
    Device& device = exchange.add("caller" + name);
    exchange.send(device, dial(name, "bob"));
    exchange.send(device, offer(name, 0, std::string(60'000, 'o')));
    for (int i = 0; i < 60; ++i)
      exchange.send(device, candidate(name, 0, std::string(2'000, 'k') + std::to_string(i)));
    EXPECT_EQ(std::count(device.inbox.begin(), device.inbox.end(), "error bad_message"), 0);
    exchange.check();
  }
  exchange.connect(bob);
  EXPECT_TRUE(bob.resumed);
  EXPECT_EQ(count(bob.inbox, "incoming caller0"), 1);
}

TEST(RingRoom, HalfOfTheBytesAreLeftToALiveCall) {
  Settings settings;
  settings.max_queued_bytes = 8'000;
  Exchange exchange(settings);
  Device& bob = exchange.add("bob");
  exchange.cut(bob);
  for (const std::string user : {"alice", "carol", "dave"}) {
    Device& device = exchange.add(user);
    exchange.send(device, dial(user, "bob"));
    exchange.send(device, offer(user, 0, std::string(3'000, 'o')));
    exchange.check();
    EXPECT_EQ(device.inbox, user == "alice" ? Inbox{} : Inbox{"ended busy"});
  }
  exchange.connect(bob);
  EXPECT_TRUE(bob.resumed);
}

TEST(RingRoom, HalfOfTheQueueIsLeftToALiveCall) {
  Settings settings;
  settings.max_queued_messages = 20;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  exchange.send(bob, accept("1"));
  exchange.acknowledge(bob);
  exchange.cut(bob);
  ring_with_all(exchange, exchange.add("mallory"), "2", "bob");
  for (int i = 0; i < 9; ++i) exchange.send(alice, candidate("1", 0, "live" + std::to_string(i)));
  EXPECT_EQ(alice.inbox, Inbox{"accepted"});
  exchange.connect(bob);
  EXPECT_TRUE(bob.resumed);
  EXPECT_EQ(bob.inbox.back(), "candidate 0 live8");
}

TEST(RingRoom, ADeviceWithoutRoomLeavesTheCallAsBusy) {
  Settings settings;
  settings.max_queued_messages = 20;
  Exchange exchange(settings);
  Device& slow = exchange.add("bob");
  Device& phone = exchange.add("bob");
  Device& alice = exchange.add("alice");
  exchange.cut(slow);
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  for (int i = 0; i < 30; ++i) {
    exchange.send(alice, candidate("1", 0, "k" + std::to_string(i)));
    exchange.acknowledge(phone);
    exchange.check();
  }
  EXPECT_EQ(alice.inbox, Inbox{}) << "the other device rings on";
  EXPECT_EQ(phone.inbox.size(), 32U);
  exchange.connect(slow);
  EXPECT_TRUE(slow.resumed);
  EXPECT_EQ(slow.inbox.size(), 11U);
  EXPECT_EQ(slow.inbox.back(), "ended busy");
  exchange.send(phone, accept("1"));
  EXPECT_EQ(alice.inbox, Inbox{"accepted"});
}

TEST(RingRoom, TheLastDeviceWithoutRoomEndsTheCallAsBusy) {
  Settings settings;
  settings.max_queued_messages = 20;
  Exchange exchange(settings);
  Device& bob = exchange.add("bob");
  Device& alice = exchange.add("alice");
  exchange.cut(bob);
  exchange.send(alice, dial("1", "bob"));
  for (int i = 0; i < 30; ++i) exchange.send(alice, candidate("1", 0, "k" + std::to_string(i)));
  exchange.send(alice, offer("1", 0, "o"));  // and with it all that was held
  EXPECT_EQ(alice.inbox, Inbox{"ended busy"});
  EXPECT_EQ(exchange.server.counts().calls, 0U);
  exchange.check();
  exchange.connect(bob);
  EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "ended busy"}));
}

TEST(RingRoom, AFullQueueTakesTheEndOfWhatRang) {
  Settings settings;
  settings.max_queued_messages = 20;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  exchange.send(bob, accept("1"));
  exchange.acknowledge(bob);
  exchange.cut(bob);
  Device& mallory = exchange.add("mallory");
  for (const std::string name : {"2", "3"}) exchange.send(mallory, dial(name, "bob"));
  for (int i = 0; i < 18; ++i) exchange.send(alice, candidate("1", 0, "live" + std::to_string(i)));
  for (const std::string name : {"2", "3"}) exchange.send(mallory, hangup(name));
  exchange.check();
  EXPECT_EQ(alice.inbox, Inbox{"accepted"}) << "the call lives";
  exchange.connect(bob);
  EXPECT_TRUE(bob.resumed);
  EXPECT_EQ(count(bob.inbox, "ended canceled"), 2);
}

TEST(RingRoom, RingAndHangUpAgainAndAgainDoesNotEndASession) {
  Exchange exchange;
  Device& bob = exchange.add("bob");
  exchange.cut(bob);
  Device& mallory = exchange.add("mallory");
  for (int i = 0; i < 600; ++i) {
    exchange.send(mallory, dial(std::to_string(i), "bob"));
    exchange.send(mallory, hangup(std::to_string(i)));
    exchange.acknowledge(mallory);
  }
  exchange.check();
  exchange.connect(bob);
  EXPECT_TRUE(bob.resumed);
}

TEST(RingRoom, ADeviceThatAttachesIsNotClosedByWhatWaits) {
  Exchange exchange;
  storm(exchange, "bob");
  Device& bob = exchange.add("bob");
  EXPECT_EQ(bob.closes, Inbox{});
  EXPECT_EQ(count(bob.inbox, "incoming mallory"), 2);
  EXPECT_LE(bob.received, Settings{}.max_queued_messages / 2);
  exchange.check();
  end_storm(exchange);
  EXPECT_EQ(bob.closes, Inbox{});
  EXPECT_EQ(exchange.server.counts().calls, 0U);
  exchange.check();
}

}  // namespace
}  // namespace offhook::call
