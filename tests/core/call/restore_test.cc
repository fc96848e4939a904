// What is left of calls when the process is killed and another one started, and when a session is lost: both
// sides come back in any order, and tell what they know.

#include <gtest/gtest.h>

#include "core/call/crashed.h"

namespace offhook::call {
namespace {

TEST(Restore, ACallGoesOnWhenBothSidesTellTheSame) {
  for (const bool caller_first : {true, false}) {
    Crashed call(State::connected);
    call.exchange.crash();
    if (caller_first) call.back(call.alice, kCallerTalks);
    call.back(call.bob, kCalleeTalks);
    if (!caller_first) call.back(call.alice, kCallerTalks);
    EXPECT_EQ(call.alice.take(), (Inbox{"accepted", "restored 0"}));
    EXPECT_EQ(call.bob.take(), (Inbox{"restored 0"}));
    EXPECT_EQ(call.exchange.server.counts().calls, 1U);
    // It is a call like any other.
    call.exchange.send(call.bob, offer("1", 1, "o1"));
    EXPECT_EQ(call.alice.take(), (Inbox{"offer 1 o1"}));
    call.exchange.send(call.alice, hangup("1"));
    EXPECT_EQ(call.alice.take(), (Inbox{"ended hangup"}));
    EXPECT_EQ(call.bob.take(), (Inbox{"ended hangup"}));
    ASSERT_EQ(call.exchange.records.size(), 1U);
    EXPECT_TRUE(call.exchange.records[0].connected);
    EXPECT_TRUE(call.exchange.journal.empty());
    call.exchange.check();
  }
}

TEST(Restore, OneSideAloneWaitsAsLongAsASessionDoes) {
  Crashed call(State::connected);
  call.exchange.crash();
  call.back(call.alice, kCallerTalks);
  call.exchange.advance_alive(milliseconds(29'999));
  EXPECT_EQ(call.alice.take(), Inbox{});
  call.exchange.advance_alive(milliseconds(1));
  EXPECT_EQ(call.alice.take(), (Inbox{"ended signaling_lost"}));
  // Too late: the other side is told the same.
  call.back(call.bob, kCalleeTalks);
  EXPECT_EQ(call.bob.take(), (Inbox{"ended signaling_lost"}));
  call.exchange.check();
}

TEST(Restore, TheNextOfferIsAboveWhatEitherSideHasUsed) {
  Crashed call(State::connected);
  call.exchange.crash();
  call.back(call.alice, snapshot("1", "bob", "caller", "connected", R"(,"generation":1)"));
  // Nobody hears these, but their numbers are used.
  call.exchange.send(call.alice, offer("1", 2, "lost"));
  call.exchange.send(call.alice, candidate("1", 2, "lost"));
  call.exchange.send(call.alice, connected("1"));
  EXPECT_EQ(call.alice.take(), Inbox{});
  call.back(call.bob, snapshot("1", "alice", "callee", "accepted", R"(,"generation":1)"));
  EXPECT_EQ(call.bob.take(), (Inbox{"restored 2"}));
  EXPECT_EQ(call.alice.take(), (Inbox{"accepted", "restored 2"}));
  call.exchange.send(call.bob, offer("1", 2, "stale"));
  EXPECT_EQ(call.bob.take(), (Inbox{"error stale_generation"}));
  call.exchange.send(call.alice, offer("1", 3, "o3"));
  EXPECT_EQ(call.bob.take(), (Inbox{"offer 3 o3"}));
  call.exchange.check();
}

TEST(Restore, WithoutAnyGenerationTheFirstIsTheOneThatBothAreTold) {
  Crashed call(State::connected);
  call.exchange.crash();
  call.back(call.alice, snapshot("1", "bob", "caller", "accepted"));
  call.back(call.bob, snapshot("1", "alice", "callee", "accepted"));
  EXPECT_EQ(call.alice.take().back(), "restored 0");
  call.exchange.send(call.alice, offer("1", 1, "o1"));
  EXPECT_EQ(call.bob.take(), (Inbox{"restored 0", "offer 1 o1"}));
  call.exchange.check();
}

TEST(Restore, NobodyTalksThemselvesIntoACall) {
  Crashed call(State::connected);
  Device& mallory = call.exchange.add("mallory");
  call.exchange.crash();
  // Even with the id, and before both: the sides do not name mallory.
  call.back(mallory, snapshot("1", "alice", "callee", "connected"));
  call.exchange.send(mallory, snapshot("1", "bob", "caller", "connected"));
  call.back(call.alice, kCallerTalks);
  call.back(call.bob, kCalleeTalks);
  EXPECT_EQ(call.alice.take(), (Inbox{"accepted", "restored 0"}));
  EXPECT_EQ(call.bob.take(), (Inbox{"restored 0"}));
  call.exchange.send(mallory, snapshot("1", "alice", "callee", "ringing"));
  call.exchange.send(mallory, over("1", "alice", "callee", "hangup", true));
  call.exchange.send(mallory, over("1", "bob", "caller", "hangup", true));
  call.exchange.send(mallory, offer("1", 1, "evil"));
  call.exchange.send(mallory, hangup("1"));
  EXPECT_EQ(call.alice.take(), Inbox{});
  EXPECT_EQ(call.bob.take(), Inbox{});
  EXPECT_EQ(call.exchange.server.counts().calls, 1U);
  EXPECT_EQ(mallory.take(), (Inbox{"error not_in_call"}));
  call.exchange.check();
}

TEST(Restore, ALoneClaimMakesNobodyRing) {
  Exchange exchange;
  Device& bob = exchange.add("bob");
  Device& mallory = exchange.add("mallory");
  exchange.send(mallory, snapshot("1", "bob", "caller", "connected"));
  exchange.send(mallory, offer("1", 0, "o"));
  exchange.send(mallory, snapshot("2", "mallory", "caller", "ringing"));
  EXPECT_EQ(bob.take(), Inbox{});
  EXPECT_EQ(mallory.take(), (Inbox{"error self_call"}));
}

TEST(Restore, AnEndMeanwhileIsToldToTheOtherSideWhoeverIsFirst) {
  for (const bool end_first : {true, false}) {
    for (const bool by_caller : {true, false}) {
      Crashed call(State::connected);
      call.exchange.crash();
      Device& ender = by_caller ? call.alice : call.bob;
      Device& other = by_caller ? call.bob : call.alice;
      const std::string told = over("1", other.user, by_caller ? "caller" : "callee", "hangup", true);
      if (end_first) call.back(ender, told);
      call.back(other, by_caller ? kCalleeTalks : kCallerTalks);
      if (!end_first) call.back(ender, told);
      EXPECT_EQ(other.take(), (Inbox{"ended hangup"}));
      EXPECT_EQ(ender.take(), Inbox{});
      call.exchange.advance_alive(seconds(60));
      EXPECT_EQ(other.take(), Inbox{});
      EXPECT_EQ(ender.take(), Inbox{});
      call.exchange.check();
    }
  }
}

TEST(Restore, HangingUpBeforeTheOtherSideIsBack) {
  Crashed call(State::connected);
  call.exchange.crash();
  call.back(call.alice, kCallerTalks);
  call.exchange.send(call.alice, hangup("1", "ice_lost"));
  EXPECT_EQ(call.alice.take(), (Inbox{"ended ice_lost"}));
  call.back(call.bob, kCalleeTalks);
  EXPECT_EQ(call.bob.take(), (Inbox{"ended ice_lost"}));
  call.exchange.check();
}

TEST(Restore, ByeOfOneWhoWaitsIsToldToTheOther) {
  Crashed call(State::connected);
  call.exchange.crash();
  call.back(call.alice, kCallerTalks);
  call.back(call.bob, over("1", "carol", "callee", "hangup", true));  // of a call with somebody else
  call.exchange.send(call.alice, R"("type":"bye")");
  EXPECT_EQ(call.exchange.server.counts().sessions, 1U);
  call.exchange.check();
}

TEST(Restore, TheCallerRingsAgainAndNobodyTwice) {
  for (const State state : {State::dialing, State::ringing}) {
    for (const bool with_journal : {true, false}) {
      for (const bool caller_first : {true, false}) {
        Crashed call(state);
        call.exchange.crash(with_journal);
        if (caller_first) call.back(call.alice, kCallerRings);
        call.back(call.bob, kCalleeRings);
        if (!caller_first) call.back(call.alice, kCallerRings);
        call.exchange.send(call.bob, ringing("1"));
        call.exchange.send(call.alice, fresh_offer("1", 1, "o1"));
        EXPECT_EQ(call.bob.take(), (Inbox{"incoming alice", "fresh offer 1 o1"}));
        EXPECT_EQ(call.alice.take(), (Inbox{"ringing"}));
        call.exchange.send(call.bob, accept("1"));
        EXPECT_EQ(call.alice.take(), (Inbox{"accepted"}));
        EXPECT_TRUE(call.exchange.journal.empty());
        call.exchange.send(call.bob, answer("1", 1, "a1"));
        EXPECT_EQ(call.alice.take(), (Inbox{"answer 1 a1"}));
        call.exchange.check();
      }
    }
  }
}

TEST(Restore, ARingGoesOnForADeviceThatNeverKnewOfItBeforeTheCallerIsBack) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.advance(milliseconds(400));
  exchange.crash();
  // Longer than a user without a session is waited for at other times.
  exchange.advance(seconds(20));
  Device& bob = exchange.add("bob");
  EXPECT_EQ(bob.take(), (Inbox{"incoming alice"}));
  EXPECT_NE(bob.frames.back().find(R"("age_ms":20400)"), std::string::npos) << bob.frames.back();
  exchange.send(bob, ringing("1"));
  exchange.send(bob, accept("1"));
  exchange.connect(alice);
  exchange.send(alice, kCallerRings);
  // What it has missed.
  EXPECT_EQ(alice.take(), (Inbox{"ringing", "accepted"}));
  exchange.send(alice, fresh_offer("1", 1, "o1"));
  EXPECT_EQ(bob.take(), (Inbox{"fresh offer 1 o1"}));
  exchange.check();
}

TEST(Restore, AnEndThatTheCallerHasMissedIsHandedOver) {
  Crashed call(State::ringing);
  call.exchange.crash();
  call.exchange.connect(call.bob);
  call.exchange.send(call.bob, reject("1", "declined"));
  EXPECT_EQ(call.bob.take(), (Inbox{"incoming alice", "ended declined"}));
  call.back(call.alice, kCallerRings);
  EXPECT_EQ(call.alice.take(), (Inbox{"ended declined"}));
  EXPECT_EQ(call.exchange.server.counts().sessions, 2U);
  call.exchange.check();
}

TEST(Restore, ACallerWhoDoesNotComeBackCancels) {
  for (const bool with_journal : {true, false}) {
    Crashed call(State::ringing);
    call.exchange.crash(with_journal);
    call.back(call.bob, kCalleeRings);
    EXPECT_EQ(call.bob.take(), with_journal ? (Inbox{"incoming alice"}) : Inbox{});
    call.exchange.advance_alive(seconds(30));
    EXPECT_EQ(call.bob.take(), (Inbox{"ended canceled"}));
    EXPECT_TRUE(call.exchange.journal.empty());
    call.exchange.check();
  }
}

TEST(Restore, ARingKeepsItsAge) {
  Crashed call(State::ringing);
  call.exchange.advance_alive(seconds(40));
  call.exchange.crash();
  call.back(call.alice, kCallerRings);
  call.back(call.bob, kCalleeRings);
  call.forget();
  call.exchange.advance_alive(milliseconds(4'999));
  EXPECT_EQ(call.alice.take(), Inbox{});
  call.exchange.advance_alive(milliseconds(1));
  EXPECT_EQ(call.alice.take(), (Inbox{"ended no_answer"}));
  EXPECT_EQ(call.bob.take(), (Inbox{"ended no_answer"}));
}

TEST(Restore, WithoutAJournalTheCallersAgeCounts) {
  Crashed call(State::ringing);
  call.exchange.crash(false);
  call.back(call.alice, snapshot("1", "bob", "caller", "ringing", R"(,"age_ms":44000)"));
  call.exchange.advance_alive(seconds(1));
  EXPECT_EQ(call.alice.take(), (Inbox{"ended no_answer"}));
  call.exchange.check();
}

TEST(Restore, ARingWhoseTimeIsOverIsForgotten) {
  Crashed call(State::ringing);
  const auto kept = call.exchange.journal;
  call.exchange.advance(seconds(20));
  call.exchange.journal = kept;
  call.exchange.now += seconds(30);  // the machine was off
  call.exchange.crash();
  EXPECT_EQ(call.exchange.server.counts().calls, 0U);
  EXPECT_TRUE(call.exchange.journal.empty());
}

TEST(Restore, AnAcceptThatWasLostIsMadeGood) {
  for (const bool with_journal : {true, false}) {
    for (const bool caller_first : {true, false}) {
      Crashed call(State::ringing);
      call.exchange.crash(with_journal);
      if (caller_first) call.back(call.alice, kCallerRings);
      call.back(call.bob, snapshot("1", "alice", "callee", "accepted", R"(,"generation":0)"));
      if (!caller_first) {
        EXPECT_EQ(call.exchange.server.counts().calls, with_journal ? 1U : 0U);
        call.back(call.alice, kCallerRings);
      }
      EXPECT_EQ(call.alice.take(), (Inbox{"accepted"}));
      call.exchange.send(call.alice, fresh_offer("1", 1, "o1"));
      EXPECT_EQ(call.bob.take().back(), "fresh offer 1 o1");
      call.exchange.check();
    }
  }
}

TEST(Restore, ADeviceThatHasOfferedMeanwhileGetsAnOfferAboveThat) {
  for (const bool accepted : {true, false}) {
    for (const bool caller_first : {true, false}) {
      Crashed call(State::ringing);
      call.exchange.crash();
      const std::string told =
          snapshot("1", "alice", "callee", accepted ? "accepted" : "ringing", R"(,"generation":2)");
      if (!caller_first) call.back(call.bob, told);
      call.back(call.alice, kCallerRings);
      call.exchange.send(call.alice, fresh_offer("1", 1, "o1"));
      if (caller_first) call.back(call.bob, told);
      if (!accepted) call.exchange.send(call.bob, accept("1"));
      const Inbox seen = call.alice.take();
      const bool fresh = std::find(seen.begin(), seen.end(), "accepted fresh") != seen.end();
      const bool stale = std::find(seen.begin(), seen.end(), "error stale_generation") != seen.end();
      EXPECT_TRUE(fresh || stale) << accepted << caller_first;
      call.exchange.send(call.alice, fresh_offer("1", 3, "o3"));
      EXPECT_EQ(call.bob.take().back(), "fresh offer 3 o3");
      call.exchange.check();
    }
  }
}

TEST(Restore, AJournalThatMissedTheAcceptDoesNotMakeItRingAgain) {
  for (const bool caller_first : {true, false}) {
    Crashed call(State::ringing);
    const auto kept = call.exchange.journal;
    call.exchange.send(call.bob, accept("1"));
    call.forget();
    call.exchange.journal = kept;
    call.exchange.crash();
    if (caller_first) call.back(call.alice, kCallerTalks);
    call.back(call.bob, kCalleeTalks);
    if (!caller_first) call.back(call.alice, kCallerTalks);
    EXPECT_EQ(call.alice.take(), (Inbox{"accepted", "restored 0"}));
    EXPECT_EQ(call.bob.take(), (Inbox{"incoming alice", "restored 0"}));
    EXPECT_TRUE(call.exchange.journal.empty());
    call.exchange.check();
  }
}

TEST(Restore, ATalkingCallerOfAStaleRingIsGivenUpOnce) {
  Crashed call(State::ringing);
  call.exchange.crash();
  call.back(call.alice, kCallerTalks);
  call.exchange.advance_alive(seconds(60));
  EXPECT_EQ(call.alice.take(), (Inbox{"ended unreachable"}));
  call.exchange.check();
}

struct EndCase {
  const char* reason;
  bool by_caller;
  const char* told;  // to the other side; nothing: it rings on
};

TEST(Restore, EndsOfARingByEitherSide) {
  const EndCase cases[] = {
      {"hangup", true, "ended canceled"},
      {"no_answer", true, "ended no_answer"},
      {"declined", false, "ended declined"},
      {"busy", false, "ended busy"},
      {"media_denied", false, "ended media_denied"},
  };
  for (const EndCase& one : cases) {
    for (const bool with_journal : {true, false}) {
      for (const bool end_first : {true, false}) {
        Crashed call(State::ringing);
        call.exchange.crash(with_journal);
        Device& ender = one.by_caller ? call.alice : call.bob;
        Device& other = one.by_caller ? call.bob : call.alice;
        const std::string told = over("1", other.user, one.by_caller ? "caller" : "callee", one.reason);
        if (end_first) call.back(ender, told);
        call.back(other, one.by_caller ? kCalleeRings : kCallerRings);
        if (!end_first) call.back(ender, told);
        // Another device of the callee may still be on its way, and take it.
        const bool may_come = !one.by_caller && std::string(one.reason) != "declined";
        if (may_come) {
          const Inbox early = other.take();
          EXPECT_EQ(std::count(early.begin(), early.end(), one.told), 0);
          call.exchange.advance_alive(seconds(30));
        }
        const Inbox seen = other.take();
        ASSERT_FALSE(seen.empty());
        EXPECT_EQ(seen.back(), one.told) << one.reason << with_journal << end_first;
        EXPECT_EQ(std::count_if(seen.begin(), seen.end(),
                                [](const std::string& text) { return text.starts_with("ended"); }),
                  1);
        call.exchange.advance_alive(seconds(60));
        EXPECT_EQ(other.take(), Inbox{});
        EXPECT_EQ(call.exchange.server.counts().calls, 0U);
        EXPECT_TRUE(call.exchange.journal.empty());
        call.exchange.check();
      }
    }
  }
}

TEST(Restore, AServerThatStopsForgetsWhoWaitsForTheOtherSide) {
  Crashed call(State::connected);
  call.exchange.crash();
  call.back(call.bob, kCalleeTalks);
  call.exchange.shutdown();
  EXPECT_EQ(call.bob.take(), Inbox{});  // the next process puts them together
  EXPECT_EQ(call.exchange.server.next_deadline(), kNever);
  call.exchange.check();
}

TEST(Restore, ASessionThatWasLostWithoutARestartHearsThatItsCallIsOver) {
  Crashed call(State::connected);
  call.exchange.cut(call.alice);
  for (int i = 0; i < 4; ++i) {
    call.exchange.advance(seconds(9));
    call.exchange.raw(call.bob, R"({"type":"ping"})");
  }
  EXPECT_EQ(call.bob.take(), (Inbox{"ended signaling_lost"}));
  call.back(call.alice, kCallerTalks);
  EXPECT_EQ(call.alice.take(), (Inbox{"ended signaling_lost"}));
  call.exchange.check();
}

TEST(Restore, ASessionTellsOfSoManyCallsAndNoMore) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  for (int i = 0; i < 33; ++i)
    exchange.send(alice, snapshot(std::to_string(i), "bob", "caller", "connected"));
  EXPECT_EQ(alice.take(), (Inbox{"error too_many_calls"}));
  exchange.check();
  exchange.advance_alive(seconds(30));
  EXPECT_EQ(alice.take(), Inbox(32, "ended signaling_lost"));
  exchange.check();
}

TEST(Restore, SnapshotsObeyTheLimitsOfDials) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  for (int i = 0; i < 3; ++i) exchange.send(alice, snapshot(std::to_string(i), "bob", "caller", "ringing"));
  EXPECT_EQ(alice.take(), (Inbox{"error too_many_calls"}));
  exchange.check();
}

TEST(Restore, TellingTwiceIsTellingOnce) {
  Crashed call(State::connected);
  call.exchange.crash();
  call.back(call.alice, kCallerTalks);
  call.exchange.send(call.alice, kCallerTalks);
  call.back(call.bob, kCalleeTalks);
  call.forget();
  call.exchange.send(call.alice, kCallerTalks);
  call.exchange.send(call.bob, kCalleeTalks);
  call.exchange.send(call.alice, kCallerRings);
  EXPECT_EQ(call.alice.take(), Inbox{});
  EXPECT_EQ(call.bob.take(), Inbox{});
  call.exchange.check();
}

TEST(Restore, TwoWhoCalledEachOtherBothRingAgain) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, dial("2", "alice"));
  exchange.crash();
  for (Device* device : {&alice, &bob}) (void)device->take();
  exchange.connect(alice);
  exchange.send(alice, kCallerRings);
  exchange.connect(bob);
  exchange.send(bob, snapshot("2", "alice", "caller", "ringing"));
  EXPECT_EQ(alice.take(), (Inbox{"incoming bob"}));
  EXPECT_EQ(bob.take(), (Inbox{"incoming alice"}));
  EXPECT_EQ(exchange.server.counts().sessions, 2U);
  exchange.send(bob, hangup("2"));
  exchange.send(bob, accept("1"));
  EXPECT_EQ(alice.take(), (Inbox{"ended canceled", "accepted"}));
  exchange.check();
}

}  // namespace
}  // namespace offhook::call
