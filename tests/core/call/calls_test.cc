// Calls through the server: who is told what, in the cases that the table of transitions does not show by
// itself.

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

TEST(Calls, ACallFromDialToHangup) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  exchange.send(alice, candidate("1", 0, "ka"));
  exchange.advance(milliseconds(30));
  exchange.send(bob, ringing("1"));
  exchange.send(bob, accept("1"));
  exchange.send(bob, answer("1", 0, "a"));
  exchange.send(bob, candidate("1", 0, "kb"));
  exchange.send(
      alice,
      about("connected", "1",
            R"(,"time_to_connect_ms":312.7,"pair":{"local":"host","remote":"relay","protocol":"udp"})"));
  exchange.send(bob, connected("1"));
  exchange.advance(seconds(2));
  exchange.send(alice, hangup("1"));
  EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "offer 0 o", "candidate 0 ka", "ended hangup"}));
  EXPECT_EQ(alice.inbox, (Inbox{"ringing", "accepted", "answer 0 a", "candidate 0 kb", "ended hangup"}));

  ASSERT_EQ(exchange.records.size(), 1U);
  const CallEnded& record = exchange.records[0];
  EXPECT_EQ(record.call.text(), call_id("1"));
  EXPECT_EQ(record.caller, "alice");
  EXPECT_EQ(record.callee, "bob");
  EXPECT_EQ(record.reason, signal::EndReason::hangup);
  EXPECT_TRUE(record.accepted);
  EXPECT_TRUE(record.connected);
  EXPECT_EQ(record.lasted, milliseconds(2030));
  std::string timeline;
  for (const TimelineEntry& entry : record.timeline) {
    timeline += std::to_string(entry.offset_ms) + " " + entry.event + "\n";
  }
  EXPECT_EQ(timeline,
            "0 dialled, audio and video\n"
            "0 sent to a device\n"
            "0 offer of the caller, generation 0\n"
            "30 ringing\n"
            "30 accepted, audio\n"
            "30 answer of the callee, generation 0\n"
            "30 caller connected in 312 ms over host to relay udp\n"
            "30 callee connected\n"
            "2030 ended: hangup\n");
  EXPECT_EQ(exchange.server.counts().calls, 0U);
  exchange.check();
}

TEST(Calls, TheFirstAcceptWins) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& phone = exchange.add("bob");
  Device& laptop = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(phone, ringing("1"));
  exchange.send(laptop, ringing("1"));
  exchange.send(laptop, accept("1"));
  exchange.send(phone, accept("1"));
  exchange.send(phone, answer("1", 0, "a"));
  EXPECT_EQ(phone.inbox, (Inbox{"incoming alice", "ended answered_elsewhere"}));
  EXPECT_EQ(laptop.inbox, Inbox{"incoming alice"});
  EXPECT_EQ(alice.inbox, (Inbox{"ringing", "accepted"}));
  exchange.check();
}

TEST(Calls, ADeclineOnOneDeviceEndsTheCallOnAll) {
  for (const std::string& message : {reject("1", "declined"), about("reject", "1"), hangup("1")}) {
    Exchange exchange;
    Device& alice = exchange.add("alice");
    Device& phone = exchange.add("bob");
    Device& laptop = exchange.add("bob");
    exchange.send(alice, dial("1", "bob"));
    exchange.send(phone, message);
    EXPECT_EQ(alice.inbox, Inbox{"ended declined"});
    EXPECT_EQ(phone.inbox, (Inbox{"incoming alice", "ended declined"}));
    EXPECT_EQ(laptop.inbox, (Inbox{"incoming alice", "ended declined_elsewhere"}));
    exchange.check();
  }
}

TEST(Calls, ADeviceThatCannotLeavesAndTheLastOneEndsTheCall) {
  for (const std::string reason : {"busy", "media_denied"}) {
    Exchange exchange;
    Device& alice = exchange.add("alice");
    Device& phone = exchange.add("bob");
    Device& laptop = exchange.add("bob");
    exchange.send(alice, dial("1", "bob"));
    exchange.send(phone, reject("1", reason));
    EXPECT_EQ(phone.inbox, (Inbox{"incoming alice", "ended " + reason}));
    EXPECT_TRUE(alice.inbox.empty());
    exchange.check();
    exchange.send(laptop, reject("1", reason));
    EXPECT_EQ(laptop.inbox, (Inbox{"incoming alice", "ended " + reason}));
    EXPECT_EQ(alice.inbox, Inbox{"ended " + reason});
  }
}

TEST(Calls, ADeviceThatAttachesLaterRings) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, candidate("1", 0, "k1"));
  exchange.send(alice, offer("1", 0, "o"));
  exchange.send(alice, candidate("1", 0, "k2"));
  exchange.advance(seconds(4));
  Device& phone = exchange.add("bob");
  EXPECT_EQ(phone.take(), (Inbox{"incoming alice", "offer 0 o", "candidate 0 k1", "candidate 0 k2"}));
  EXPECT_NE(phone.frames[1].find(R"("age_ms":4000)"), std::string::npos);
  exchange.advance_alive(seconds(10));  // unreachable no more
  Device& laptop = exchange.add("bob");
  EXPECT_EQ(laptop.take().size(), 4U);
  exchange.send(alice, candidate("1", 0, "k3"));
  EXPECT_EQ(phone.inbox, Inbox{"candidate 0 k3"});
  EXPECT_EQ(laptop.inbox, Inbox{"candidate 0 k3"});
  exchange.check();
}

TEST(Calls, AUserWithoutASessionIsUnreachableAfter5Seconds) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.advance(milliseconds(4999));
  EXPECT_TRUE(alice.inbox.empty());
  exchange.advance(milliseconds(1));
  EXPECT_EQ(alice.inbox, Inbox{"ended unreachable"});
  EXPECT_EQ(exchange.records.size(), 1U);
}

TEST(Calls, NobodyAnswersFor45Seconds) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, ringing("1"));
  exchange.advance_alive(milliseconds(44'999));
  EXPECT_EQ(alice.inbox, Inbox{"ringing"});
  exchange.advance(milliseconds(1));
  EXPECT_EQ(alice.inbox, (Inbox{"ringing", "ended no_answer"}));
  EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "ended no_answer"}));
}

TEST(Calls, AcceptStopsTheRingTimeout) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.advance_alive(seconds(300));
  EXPECT_EQ(alice.inbox, Inbox{"accepted"});
  EXPECT_EQ(exchange.server.counts().calls, 1U);
}

TEST(Calls, RingingSurvivesACutSocket) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, ringing("1"));
  exchange.cut(bob);
  exchange.send(alice, offer("1", 0, "o"));
  exchange.advance_alive(seconds(29));
  exchange.connect(bob);
  EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "offer 0 o"}));
  exchange.send(bob, accept("1"));
  EXPECT_EQ(alice.inbox, (Inbox{"ringing", "accepted"}));
}

TEST(Calls, ACalleeThatStaysAwayIsUnreachable) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, ringing("1"));
  exchange.cut(bob);
  exchange.advance_alive(milliseconds(34'999));
  EXPECT_EQ(alice.inbox, Inbox{"ringing"});
  exchange.check();
  exchange.advance(milliseconds(1));
  EXPECT_EQ(alice.inbox, (Inbox{"ringing", "ended unreachable"}));
}

TEST(Calls, APageThatReloadsWhileItRingsRingsAgain) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  exchange.send(bob, ringing("1"));
  exchange.send(bob, R"("type":"bye")");
  exchange.advance(seconds(2));
  Device& reloaded = exchange.add("bob");
  EXPECT_EQ(reloaded.inbox, (Inbox{"incoming alice", "offer 0 o"}));
  exchange.send(reloaded, ringing("1"));
  exchange.send(reloaded, accept("1"));
  EXPECT_EQ(alice.inbox, (Inbox{"ringing", "ringing", "accepted"}));
}

TEST(Calls, APartyWhoseSessionIsGoneEndsItsCalls) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.send(bob, dial("2", "carol"));
  Device& carol = exchange.add("carol");
  exchange.cut(bob);
  exchange.advance_alive(seconds(30));
  EXPECT_EQ(alice.inbox, (Inbox{"accepted", "ended signaling_lost"}));
  EXPECT_EQ(carol.inbox, (Inbox{"incoming bob", "ended canceled"}));
  EXPECT_EQ(exchange.server.counts().calls, 0U);
  exchange.check();
}

TEST(Calls, HangupBeforeAccept) {
  const std::pair<std::string, std::string> cases[] = {{"hangup", "canceled"},
                                                       {"media_denied", "media_denied"},
                                                       {"error", "error"},
                                                       {"ice_failed", "ice_failed"}};
  for (const auto& [reason, told] : cases) {
    Exchange exchange;
    Device& alice = exchange.add("alice");
    Device& bob = exchange.add("bob");
    exchange.send(alice, dial("1", "bob"));
    exchange.send(alice, hangup("1", reason));
    EXPECT_EQ(alice.inbox, Inbox{"ended " + told});
    EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "ended " + told}));
  }
}

TEST(Calls, HangupAfterAcceptTellsBothTheReason) {
  for (const std::string reason : {"hangup", "ice_failed", "ice_lost", "media_denied", "error"}) {
    for (const bool by_caller : {true, false}) {
      Exchange exchange;
      Device& alice = exchange.add("alice");
      Device& bob = exchange.add("bob");
      exchange.send(alice, dial("1", "bob"));
      exchange.send(bob, accept("1"));
      exchange.send(by_caller ? alice : bob, hangup("1", reason));
      EXPECT_EQ(alice.inbox, (Inbox{"accepted", "ended " + reason}));
      EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "ended " + reason}));
    }
  }
}

TEST(Calls, NothingFollowsTheEnd) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.send(alice, hangup("1"));
  (void)alice.take();
  (void)bob.take();
  for (Device* device : {&alice, &bob}) {
    for (const std::string& late :
         {ringing("1"), accept("1"), reject("1", "busy"), hangup("1"), offer("1", 3, "o"),
          answer("1", 0, "a"), candidate("1", 0, "k"), connected("1")}) {
      exchange.send(*device, late);
    }
    EXPECT_EQ(device->inbox, Inbox{});
  }
  exchange.send(alice, dial("1", "bob"));
  EXPECT_EQ(alice.inbox, Inbox{"error bad_call_id"});
}

TEST(Calls, StrangersAndUnknownCalls) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& mallory = exchange.add("mallory");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(mallory, hangup("1"));
  exchange.send(mallory, dial("1", "bob"));
  exchange.send(mallory, hangup("2"));
  EXPECT_EQ(mallory.inbox, (Inbox{"error not_in_call", "error bad_call_id", "error unknown_call"}));
  EXPECT_EQ(exchange.server.counts().calls, 1U);
}

TEST(Calls, AnotherDeviceOfTheCallerHasNoPart) {
  Exchange exchange;
  Device& phone = exchange.add("alice");
  Device& laptop = exchange.add("alice");
  exchange.send(phone, dial("1", "bob"));
  exchange.send(laptop, hangup("1"));
  EXPECT_EQ(laptop.inbox, Inbox{"error not_in_call"});
}

TEST(Calls, ASelfCallIsRefused) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "alice"));
  EXPECT_EQ(alice.inbox, Inbox{"error self_call"});
  EXPECT_EQ(exchange.server.counts().calls, 0U);
}

TEST(Calls, ASessionDialsSoManyCalls) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  for (int i = 0; i < 9; ++i) exchange.send(alice, dial(std::to_string(i), "user" + std::to_string(i)));
  EXPECT_EQ(alice.inbox, Inbox{"error too_many_calls"});
  exchange.send(alice, hangup("3"));
  exchange.send(alice, dial("9", "bob"));
  EXPECT_EQ(alice.inbox, (Inbox{"error too_many_calls", "ended canceled"}));
}

TEST(Calls, ADeviceRingsForSoManyCalls) {
  Settings settings;
  settings.max_incoming_calls_per_session = 2;
  Exchange exchange(settings);
  Device& bob = exchange.add("bob");
  Device& alice = exchange.add("alice");
  Device& dave = exchange.add("dave");
  for (const std::string name : {"1", "2"}) exchange.send(alice, dial(name, "bob"));
  exchange.send(dave, dial("3", "bob"));
  EXPECT_EQ(bob.inbox.size(), 2U);
  EXPECT_EQ(dave.inbox, Inbox{"ended busy"});
  exchange.send(bob, dial("4", "carol"));  // nobody keeps bob from dialling by ringing
  EXPECT_EQ(bob.inbox.size(), 2U);
  EXPECT_EQ(exchange.add("bob").inbox.size(), 2U);
  exchange.check();
}

TEST(Calls, TwoCallsOfOneUserToAnotherWaitAndNoMore) {
  Exchange exchange;
  Device& bob = exchange.add("bob");
  Device& phone = exchange.add("alice");
  Device& laptop = exchange.add("alice");
  exchange.send(phone, dial("1", "bob"));
  exchange.send(laptop, dial("2", "bob"));
  exchange.send(phone, dial("3", "bob"));
  EXPECT_EQ(phone.inbox, Inbox{"error too_many_calls"}) << "the user counts, not the device";
  exchange.send(phone, dial("4", "carol"));
  EXPECT_EQ(phone.inbox.size(), 1U) << "another callee";
  exchange.send(exchange.add("dave"), dial("5", "bob"));
  EXPECT_EQ(bob.take(), (Inbox{"incoming alice", "incoming alice", "incoming dave"}));
  exchange.send(bob, accept("1"));
  exchange.send(phone, dial("6", "bob"));
  EXPECT_EQ(bob.take(), Inbox{"incoming alice"}) << "an accepted call waits no more";
  exchange.check();
}

TEST(Calls, TwoWhoDialEachOtherHaveTwoCalls) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, dial("2", "alice"));
  exchange.send(alice, accept("2"));
  exchange.send(alice, hangup("1"));
  EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "accepted", "ended canceled"}));
  EXPECT_EQ(alice.inbox, (Inbox{"incoming bob", "ended canceled"}));
  EXPECT_EQ(exchange.server.counts().calls, 1U);
}

TEST(Calls, TheRecordOfALongCallIsBounded) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  for (int generation = 0; generation < 200; ++generation) {
    exchange.send(alice, offer("1", generation, "o"));
    exchange.send(bob, answer("1", generation, "a"));
  }
  exchange.check();
  exchange.send(bob, hangup("1"));
  ASSERT_EQ(exchange.records.size(), 1U);
  EXPECT_EQ(exchange.records[0].timeline.size(), Timeline::kMaxEntries);
  EXPECT_EQ(exchange.records[0].timeline.back().event, "ended: hangup");
}

}  // namespace
}  // namespace offhook::call
