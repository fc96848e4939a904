// What may not happen before anybody has accepted, and what must: addresses stay hidden, offers are bounded,
// and an accept that comes another way is waited for.

#include "core/call/ringing_call.h"

namespace offhook::call {
namespace {

TEST(BeforeAccept, ARelayOfSomebodyElseIsWithheldTillAccept) {
  const std::string stranger = "candidate:9 1 udp 41885439 198.51.100.66 50000 typ relay";
  for (const WarmPath warm_path : {WarmPath::relay, WarmPath::off}) {
    RingingCall call(warm_path);
    call.exchange.send(call.alice, offer("1", 1, "v=0\\r\\na=" + stranger + " raddr 0.0.0.0 rport 0\\r\\n"));
    call.exchange.send(call.alice, candidate("1", 1, stranger));
    EXPECT_EQ(call.phone.take(), Inbox{"offer 1 v=0\r\n"});
    EXPECT_EQ(call.exchange.introductions, Inbox{});
    call.exchange.send(call.phone, accept("1"));
    EXPECT_EQ(call.phone.take(),
              (Inbox{trickled(1, stranger + " raddr 0.0.0.0 rport 0"), trickled(1, stranger)}));
    EXPECT_EQ(call.exchange.introductions, Inbox{"bob 198.51.100.66:50000"});
    call.exchange.check();
  }
}

TEST(BeforeAccept, WithoutARelayOfOursEveryCandidateWaits) {
  Settings settings;
  settings.is_own_relay = [](const Address&) { return false; };
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob", WarmPath::relay);
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  exchange.send(alice, candidate("1", 0, kRelay));
  EXPECT_EQ(bob.take(), (Inbox{"incoming alice", "offer 0 o"}));
  exchange.send(bob, accept("1"));
  EXPECT_EQ(bob.take(), Inbox{trickled(0, kRelay)});
}

// An allocation may end, and its port be given to another, while the call rings.
TEST(BeforeAccept, WhatWasWithheldIsReleasedEvenIfItsAddressHasBecomeARelay) {
  bool is_live = false;
  Settings settings;
  settings.is_own_relay = [&is_live](const Address&) { return is_live; };
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob", WarmPath::relay);
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "s=x\\na=" + kHost + "\\na=" + kRelay + "\\n"));
  const std::string later = "candidate:7 1 udp 1 203.0.113.7 50001 typ relay";
  exchange.send(alice, candidate("1", 0, later));
  is_live = true;
  Device& tablet = exchange.add("bob", WarmPath::relay);
  EXPECT_EQ(tablet.take(), (Inbox{"incoming alice", "offer 0 s=x\n"}));
  EXPECT_EQ(bob.take(), (Inbox{"incoming alice", "offer 0 s=x\n"}));
  exchange.send(bob, accept("1"));
  EXPECT_EQ(bob.take(), (Inbox{trickled(0, kHost), trickled(0, kRelay), trickled(0, later)}));
  exchange.check();
}

TEST(BeforeAccept, OffersBeforeAcceptAreBounded) {
  RingingCall call;
  call.answer_by(call.phone);
  int generation = 1;
  for (; generation < 64; ++generation) {
    Device& by = generation % 2 == 0 ? call.alice : call.phone;
    call.exchange.send(by, offer("1", generation, "o"));
    EXPECT_EQ(by.take(), Inbox{}) << generation;
    call.exchange.send(&by == &call.alice ? call.phone : call.alice, answer("1", generation, "a"));
    call.exchange.acknowledge(call.alice);
    call.exchange.acknowledge(call.phone);
    call.forget();
  }
  for (Device* device : {&call.alice, &call.phone}) {
    call.exchange.send(*device, candidate("1", generation, kRelay));
    call.exchange.send(*device, offer("1", generation, "one too many"));
    EXPECT_EQ(device->take(), Inbox{"error wrong_state"});
  }
  call.exchange.check();
  call.exchange.send(call.phone, accept("1"));
  call.forget();
  call.exchange.send(call.alice, offer("1", generation, "after the accept"));
  EXPECT_EQ(call.phone.take(), Inbox{"offer 64 after the accept"});
  EXPECT_EQ(call.alice.take(), Inbox{});
  call.exchange.check();
}

// The accept has come to the caller over the path itself; the device that sent it has no connection to us.
TEST(BeforeAccept, ACallThatIsConnectedOnItsWarmPathIsGivenTimeForItsAccept) {
  RingingCall call;
  call.exchange.send(call.alice, candidate("1", 0, kHost));
  call.answer_by(call.phone);
  call.exchange.advance_alive(seconds(40));
  call.exchange.cut(call.phone);
  call.exchange.send(call.alice, connected("1"));
  EXPECT_EQ(call.alice.take(), Inbox{});
  call.exchange.advance_alive(seconds(29));
  EXPECT_EQ(call.alice.take(), Inbox{}) << "69 s after dial";
  call.exchange.connect(call.phone);
  EXPECT_EQ(call.phone.take(), Inbox{}) << "it is no accept: nothing is released";
  call.exchange.check();
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.alice.take(), Inbox{"accepted"});
  EXPECT_EQ(call.phone.take(), Inbox{trickled(0, kHost)});
  call.exchange.send(call.phone, connected("1"));
  call.exchange.send(call.alice, hangup("1"));
  EXPECT_TRUE(call.exchange.records.back().connected) << "the caller has reported it once, and that counts";
}

TEST(BeforeAccept, TimeForTheAcceptIsGivenOnceAndToAWarmDevice) {
  RingingCall call;
  call.exchange.send(call.alice, connected("1"));
  EXPECT_EQ(call.alice.take(), Inbox{"error wrong_state"}) << "nobody is warm";
  call.answer_by(call.phone);
  call.exchange.advance_alive(seconds(5));
  call.exchange.send(call.alice, connected("1"));
  call.exchange.advance_alive(seconds(39));
  EXPECT_EQ(call.alice.take(), Inbox{}) << "it never rings for less than it would have";
  call.exchange.send(call.alice, connected("1"));
  EXPECT_EQ(call.alice.take(), Inbox{"error wrong_state"});
  call.exchange.advance_alive(seconds(1));
  EXPECT_EQ(call.alice.take(), Inbox{"ended no_answer"});
}

TEST(BeforeAccept, WhatWasConnectedOnTheWarmDeviceIsNotOnAnother) {
  RingingCall call;
  call.answer_by(call.phone);
  call.exchange.send(call.alice, connected("1"));
  call.exchange.send(call.laptop, accept("1"));
  EXPECT_EQ(call.alice.take(), Inbox{"accepted fresh"});
  call.exchange.send(call.laptop, connected("1"));
  call.exchange.send(call.alice, hangup("1"));
  EXPECT_FALSE(call.exchange.records.back().connected);
}

}  // namespace
}  // namespace offhook::call
