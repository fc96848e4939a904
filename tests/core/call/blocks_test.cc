// A user has blocked another: nothing rings between the two, in either direction, and what was answered goes
// on.

#include "core/call/blocks.h"

#include <gtest/gtest.h>

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

signal::CallId id(const std::string& name) { return *signal::CallId::parse(call_id(name)); }

bool says(const Device& device, const std::string& sentence) {
  return device.frames.back().find(sentence) != std::string::npos;
}

// alice and bob are signed in.
class Blocked : public ::testing::Test {
 protected:
  void TearDown() override { exchange.check(); }
  void forget() {
    for (Device& device : exchange.devices) (void)device.take();
    exchange.for_wakers.clear();
  }
  std::vector<std::string> blocks_of(const std::string& user) {
    return exchange.server.blocks(user, "", 100).users;
  }

  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
};

TEST_F(Blocked, ADialToWhoHasBlockedTheCallerEndsAtOnceAndNobodyElseHearsOfIt) {
  exchange.send(alice, block("bob"));
  EXPECT_EQ(alice.take(), Inbox{"blocked bob"});
  exchange.send(bob, dial("1", "alice"));
  exchange.send(bob, offer("1", 0, "o0"));
  EXPECT_EQ(bob.take(), Inbox{"ended blocked"});
  EXPECT_TRUE(says(bob, "You cannot call this person.")) << bob.frames.back();
  EXPECT_EQ(alice.take(), Inbox{});
  EXPECT_TRUE(exchange.for_wakers.empty()) << exchange.for_wakers.front();
  EXPECT_TRUE(exchange.journal.empty()) << "it does not outlive the process";
  exchange.add("alice");
  EXPECT_EQ(exchange.devices.back().take(), Inbox{}) << "nor does it ring on a device that comes later";
}

TEST_F(Blocked, ADialToAUserWithoutADeviceWakesNobodyEither) {
  exchange.send(alice, block("bob"));
  exchange.send(alice, R"("type":"bye")");
  exchange.send(bob, dial("1", "alice"));
  EXPECT_EQ(bob.take(), Inbox{"ended blocked"});
  EXPECT_TRUE(exchange.for_wakers.empty());
}

TEST_F(Blocked, WhoHasBlockedUnblocksBeforeTheyCall) {
  exchange.send(alice, block("bob"));
  exchange.send(alice, dial("1", "bob"));
  EXPECT_EQ(alice.take(), (Inbox{"blocked bob", "ended blocked"}));
  EXPECT_TRUE(says(alice, "Unblock them, then call again.")) << alice.frames.back();
  EXPECT_EQ(bob.take(), Inbox{}) << "they do not learn of it";
  exchange.send(alice, unblock("bob"));
  EXPECT_EQ(alice.take(), Inbox{"unblocked bob"});
  exchange.send(alice, dial("2", "bob"));
  EXPECT_EQ(bob.take(), Inbox{"incoming alice"});
  exchange.send(bob, dial("3", "alice"));
  EXPECT_EQ(alice.take(), Inbox{"incoming bob"});
}

TEST_F(Blocked, ABlockIsOfTheUserOnAllTheirDevicesAndOfNobodyElse) {
  Device& tablet = exchange.add("alice");
  Device& bobs_laptop = exchange.add("bob");
  Device& carol = exchange.add("carol");
  exchange.send(tablet, block("bob"));
  exchange.send(bobs_laptop, dial("1", "alice"));
  EXPECT_EQ(bobs_laptop.take(), Inbox{"ended blocked"});
  exchange.send(alice, dial("2", "bob"));
  EXPECT_EQ(alice.take(), Inbox{"ended blocked"});
  exchange.send(carol, dial("3", "alice"));
  EXPECT_EQ(alice.take(), Inbox{"incoming carol"});
  exchange.send(carol, dial("4", "bob"));
  EXPECT_EQ(bob.take(), Inbox{"incoming carol"});
}

TEST_F(Blocked, ACallThatRingsEndsOnAllDevicesOfBoth) {
  Device& tablet = exchange.add("alice");
  exchange.send(bob, dial("1", "alice"));
  exchange.send(bob, dial("2", "alice"));
  exchange.send(alice, ringing("1"));
  forget();
  exchange.send(tablet, block("bob"));
  EXPECT_EQ(bob.take(), (Inbox{"ended blocked", "ended blocked"}));
  EXPECT_EQ(alice.take(), (Inbox{"ended blocked", "ended blocked"}));
  EXPECT_TRUE(says(alice, "Calls from this person are blocked.")) << alice.frames.back();
  EXPECT_EQ(tablet.take(), (Inbox{"ended blocked", "ended blocked", "blocked bob"}));
  const auto record = exchange.server.record(id("1"), exchange.now);
  ASSERT_TRUE(record && record->to_caller);
  EXPECT_EQ(record->to_caller->verdict.sentence, "You cannot call this person.");
  EXPECT_EQ(record->to_callee->verdict.sentence, "Calls from this person are blocked.");
  EXPECT_EQ(record->timeline.back().event, "ended: blocked");
}

TEST_F(Blocked, ACallOfOnesOwnThatRingsEndsAsIfItWereGivenUp) {
  Device& carol = exchange.add("carol");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(carol, dial("2", "bob"));
  forget();
  exchange.send(alice, block("bob"));
  EXPECT_EQ(alice.take(), (Inbox{"ended blocked", "blocked bob"}));
  EXPECT_EQ(bob.take(), Inbox{"ended canceled"});
  EXPECT_EQ(carol.take(), Inbox{}) << "calls of others ring on";
  const auto record = exchange.server.record(id("1"), exchange.now);
  ASSERT_TRUE(record && record->to_callee);
  EXPECT_EQ(record->to_callee->reason, signal::EndReason::canceled);
  EXPECT_EQ(record->to_caller->reason, signal::EndReason::blocked);
  EXPECT_EQ(record->timeline.back().event, "ended: canceled") << "bob may read it, too";
}

TEST_F(Blocked, TheTwoWhoDialEachOtherAtOnceBothEnd) {
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, dial("2", "alice"));
  forget();
  exchange.send(bob, block("alice"));
  EXPECT_EQ(alice.take(), (Inbox{"ended canceled", "ended blocked"}));
  EXPECT_EQ(bob.take(), (Inbox{"ended blocked", "ended blocked", "blocked alice"}));
  EXPECT_EQ(exchange.server.counts().calls, 0U);
}

TEST_F(Blocked, ACallThatWasAnsweredGoesOn) {
  exchange.send(bob, dial("1", "alice"));
  exchange.send(alice, accept("1"));
  forget();
  exchange.send(alice, block("bob"));
  EXPECT_EQ(alice.take(), Inbox{"blocked bob"});
  exchange.send(bob, connected("1"));
  exchange.send(alice, state("1", "true"));
  EXPECT_EQ(bob.take(), Inbox{"state audio video hold"});
  Device& tablet = exchange.add("alice");
  exchange.send(tablet, take("1"));
  EXPECT_EQ(tablet.take(), Inbox{"taken audio video live"});
  exchange.send(bob, hangup("1"));
  EXPECT_EQ(tablet.take(), Inbox{"ended hangup"});
}

TEST_F(Blocked, SayingItTwiceIsSayingItOnce) {
  Settings settings;
  settings.dials_per_minute = 2;
  Exchange strict(settings);
  Device& carol = strict.add("carol");
  for (int i = 0; i < 5; ++i) strict.send(carol, block("bob"));
  for (int i = 0; i < 5; ++i) strict.send(carol, unblock("bob"));
  Inbox answers(5, "blocked bob");
  answers.insert(answers.end(), 5, "unblocked bob");
  EXPECT_EQ(carol.take(), answers) << "two changes of the two that there may be in a minute";
  EXPECT_TRUE(strict.journalled_blocks.empty());
  strict.check();
}

TEST_F(Blocked, TooManyChangesAreTooManyDials) {
  Settings settings;
  settings.dials_per_minute = 2;
  Exchange strict(settings);
  Device& carol = strict.add("carol");
  for (const char* user : {"1", "2", "3"}) strict.send(carol, block(user));
  EXPECT_EQ(carol.take(), (Inbox{"blocked 1", "blocked 2", "error too_many_dials"}));
  EXPECT_TRUE(says(carol, R"("user":"3","ref":3,"retry_after_ms":30000)")) << carol.frames.back();
  strict.send(carol, unblock("1"));
  EXPECT_EQ(carol.take(), Inbox{"error too_many_dials"});
  EXPECT_TRUE(strict.block("carol", "3")) << "the backend has limits of its own";
  strict.advance_alive(seconds(30));
  strict.send(carol, unblock("1"));
  EXPECT_EQ(carol.take(), Inbox{"unblocked 1"});
  EXPECT_EQ(strict.server.blocks("carol", "", 10).users, (std::vector<std::string>{"2", "3"}));
}

TEST_F(Blocked, NobodyBlocksThemselves) {
  exchange.send(alice, block("alice"));
  EXPECT_EQ(alice.take(), Inbox{"error self_call"});
  EXPECT_TRUE(blocks_of("alice").empty());
}

TEST_F(Blocked, AListHasALimitAndSoHaveAllTogether) {
  Settings settings;
  settings.max_blocks_per_user = 2;
  settings.max_blocks = 3;
  Exchange small(settings);
  Device& carol = small.add("carol");
  for (const char* user : {"1", "2", "3"}) small.send(carol, block(user));
  EXPECT_EQ(carol.take(), (Inbox{"blocked 1", "blocked 2", "error too_many_blocks"}));
  small.send(carol, block("2"));
  EXPECT_EQ(carol.take(), Inbox{"blocked 2"}) << "it is there";
  EXPECT_TRUE(small.block("dave", "1"));
  EXPECT_FALSE(small.block("dave", "2")) << "the server is full";
  small.unblock("carol", "1");
  EXPECT_TRUE(small.block("dave", "2"));
  EXPECT_EQ(small.journalled_blocks, (std::set<UserBlock>{{"carol", "2"}, {"dave", "1"}, {"dave", "2"}}));
  small.check();
}

TEST_F(Blocked, AListIsShownPageByPage) {
  for (const char* user : {"d", "b", "a", "c"}) exchange.block("alice", user);
  const BlockPage first = exchange.server.blocks("alice", "", 2);
  EXPECT_EQ(first.users, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(first.has_more);
  exchange.unblock("alice", "b");
  const BlockPage second = exchange.server.blocks("alice", "b", 2);
  EXPECT_EQ(second.users, (std::vector<std::string>{"c", "d"}));
  EXPECT_FALSE(second.has_more);
  EXPECT_TRUE(blocks_of("bob").empty());
}

TEST_F(Blocked, ThePlacesOfTheBackendAreNotAskedForBetweenTheTwo) {
  exchange.block("alice", "bob");
  for (const auto& [caller, callee] : {std::pair("alice", "bob"), std::pair("bob", "alice")}) {
    const Placed placed = exchange.place(caller, callee);
    EXPECT_TRUE(placed.is_blocked);
    EXPECT_EQ(placed.devices, 0U);
  }
  EXPECT_EQ(alice.take(), Inbox{});
  EXPECT_EQ(bob.take(), Inbox{});
  exchange.unblock("alice", "bob");
  EXPECT_FALSE(exchange.place("alice", "bob").is_blocked);
}

TEST_F(Blocked, InARoomTheTwoStayApartAndTheOthersTalkToBoth) {
  Device& carol = exchange.add("carol");
  exchange.block("alice", "bob");
  for (Device* device : {&alice, &bob, &carol}) exchange.send(*device, join("standup"));
  forget();
  exchange.send(bob, in_room(dial("1", "alice"), "standup"));
  EXPECT_EQ(bob.take(), Inbox{"ended blocked"});
  EXPECT_EQ(alice.take(), Inbox{});
  exchange.send(carol, in_room(dial("2", "alice"), "standup"));
  exchange.send(carol, in_room(dial("3", "bob"), "standup"));
  EXPECT_EQ(alice.take(), Inbox{"incoming carol"});
  EXPECT_EQ(bob.take(), Inbox{"incoming carol"});
}

TEST_F(Blocked, OutlivesTheProcess) {
  exchange.send(alice, block("bob"));
  exchange.send(alice, block("carol"));
  exchange.send(alice, unblock("carol"));
  exchange.crash();
  EXPECT_EQ(blocks_of("alice"), std::vector<std::string>{"bob"});
  exchange.connect(bob);
  forget();
  exchange.send(bob, dial("1", "alice"));
  EXPECT_EQ(bob.take(), Inbox{"ended blocked"});
}

// The journal is written behind: the block may be in it, and the end of the call not.
TEST_F(Blocked, ACallOfTheProcessBeforeDoesNotRingOn) {
  exchange.send(bob, dial("1", "alice"));
  exchange.journalled_blocks.insert({"alice", "bob"});
  exchange.crash();
  forget();
  exchange.connect(alice);
  EXPECT_EQ(alice.take(), Inbox{});
  exchange.connect(bob);
  exchange.send(bob, snapshot("1", "alice", "caller", "ringing", R"(,"age_ms":1000)"));
  EXPECT_EQ(bob.take(), Inbox{"ended blocked"});
  EXPECT_EQ(alice.take(), Inbox{});
}

TEST_F(Blocked, ACallerWhoTellsOfACallThatTheServerDoesNotKnowIsNoBetterOff) {
  exchange.block("alice", "bob");
  exchange.crash();
  exchange.journal.clear();
  exchange.connect(alice);
  exchange.connect(bob);
  exchange.send(alice, snapshot("1", "bob", "callee", "ringing"));
  forget();
  exchange.send(bob, snapshot("1", "alice", "caller", "ringing", R"(,"age_ms":1000)"));
  EXPECT_EQ(bob.take(), Inbox{"ended blocked"});
  EXPECT_EQ(alice.take(), Inbox{"ended canceled"}) << "what rings there stops";
}

TEST_F(Blocked, WhoIsCalledDoesNotLearnOfABlockAfterARestartEither) {
  exchange.crash();
  exchange.connect(alice);
  exchange.connect(bob);
  exchange.send(bob, snapshot("1", "alice", "callee", "ringing"));
  forget();
  exchange.send(alice, over("1", "bob", "caller", "blocked"));
  EXPECT_EQ(bob.take(), Inbox{"ended canceled"});
}

TEST_F(Blocked, ACallThatBothTellOfGoesOnAfterARestart) {
  exchange.block("alice", "bob");
  exchange.crash();
  exchange.connect(alice);
  exchange.connect(bob);
  forget();
  exchange.send(alice, snapshot("1", "bob", "callee", "connected", R"(,"generation":0)"));
  exchange.send(bob, snapshot("1", "alice", "caller", "connected", R"(,"generation":0)"));
  EXPECT_EQ(alice.take(), Inbox{"restored 0"});
  EXPECT_EQ(bob.take(), (Inbox{"accepted", "restored 0"}));
}

}  // namespace
}  // namespace offhook::call
