// A killed server, and users with several devices: each tells what it knows, and none of them speaks for the
// others.

#include <gtest/gtest.h>

#include <algorithm>

#include "core/call/crashed.h"

namespace offhook::call {
namespace {

TEST(RestoreDevices, TheDevicesThatDidNotAnswerAreTold) {
  for (const bool other_first : {true, false}) {
    Crashed call(State::connected);
    Device& laptop = call.exchange.add("bob");
    call.exchange.crash();
    if (other_first) call.back(laptop, kCalleeRings);
    call.back(call.alice, kCallerTalks);
    call.back(call.bob, kCalleeTalks);
    if (!other_first) call.back(laptop, kCalleeRings);
    EXPECT_EQ(laptop.take(), (Inbox{"ended answered_elsewhere"}));
    call.exchange.send(laptop, kCalleeTalks);  // an accept that came second
    EXPECT_EQ(laptop.take(), Inbox{});
    EXPECT_EQ(call.exchange.server.counts().calls, 1U);
    call.exchange.check();
  }
}

// alice goes on with her phone: her desk has seen the call end, and bob's laptop, whose accept came second,
// is not back.
TEST(RestoreDevices, ADeviceThatIsLateHearsWhoHasAnsweredWhateverHasBecomeOfTheCaller) {
  Crashed call(State::connected);
  Device& laptop = call.exchange.add("bob");
  Device& phone = call.exchange.add("alice");
  call.exchange.crash();
  call.back(call.alice, kCallerTalks);
  call.back(call.bob, kCalleeTalks);
  call.exchange.connect(phone);
  call.exchange.send(phone, take("1"));
  EXPECT_EQ(call.alice.take().back(), "ended answered_elsewhere");
  call.back(laptop, kCalleeTalks);
  EXPECT_EQ(laptop.take(), (Inbox{"ended answered_elsewhere"}));
  EXPECT_EQ(call.exchange.server.counts().calls, 1U);
  call.exchange.check();
}

TEST(RestoreDevices, OneDeviceThatIsOutDoesNotEndTheRingOfAnother) {
  for (const std::string reason : {"busy", "media_denied", "answered_elsewhere", "declined_elsewhere"}) {
    Crashed call(State::ringing);
    Device& laptop = call.exchange.add("bob");
    call.exchange.send(laptop, ringing("1"));
    call.exchange.crash();
    call.back(call.bob, over("1", "alice", "callee", reason));
    call.back(call.alice, kCallerRings);
    EXPECT_EQ(call.exchange.server.counts().calls, 1U) << reason;
    call.exchange.advance_alive(seconds(20));
    call.back(laptop, kCalleeRings);
    call.exchange.send(laptop, accept("1"));
    EXPECT_EQ(call.alice.take(), (Inbox{"accepted"}));
    call.exchange.check();
  }
}

TEST(RestoreDevices, ADeviceThatLostTheRaceEndsNothingForTheOneThatWon) {
  for (const bool loser_first : {true, false}) {
    for (const bool by_caller : {true, false}) {
      Crashed call(State::connected);
      Device& old = call.exchange.add(by_caller ? "alice" : "bob");
      call.exchange.crash();
      const std::string told =
          over("1", by_caller ? "bob" : "alice", by_caller ? "caller" : "callee", "answered_elsewhere", true);
      if (loser_first) call.back(old, told);
      call.back(call.alice, kCallerTalks);
      call.back(call.bob, kCalleeTalks);
      if (!loser_first) call.back(old, told);
      EXPECT_EQ(call.alice.take(), (Inbox{"accepted", "restored 0"}));
      EXPECT_EQ(call.bob.take(), (Inbox{"restored 0"}));
      EXPECT_EQ(call.exchange.server.counts().calls, 1U);
    }
  }
}

TEST(RestoreDevices, AnAcceptCountsThoughTheCallerIsNotBack) {
  for (const std::string& told : {kCallerRings, kCallerTalks}) {
    Crashed call(State::ringing);
    call.exchange.crash(false);
    call.back(call.bob, kCalleeRings);
    call.exchange.send(call.bob, accept("1"));
    call.back(call.alice, told);
    EXPECT_EQ(call.alice.take().front(), "accepted");
    const auto record = call.exchange.server.record(*signal::CallId::parse(call_id("1")), call.exchange.now);
    ASSERT_TRUE(record);
    EXPECT_TRUE(record->accepted);
    call.exchange.check();
  }
}

// Two devices accept, one before the crash, of which the caller alone has heard, and one after it.
struct AcceptedTwice : Crashed {
  AcceptedTwice() : Crashed(State::ringing), laptop(exchange.add("bob")) {
    const auto written = exchange.journal;
    exchange.send(bob, accept("1"));
    forget();
    exchange.journal = written;
    exchange.crash();
    exchange.connect(laptop);
  }
  void caller_is_back() { back(alice, snapshot("1", "bob", "caller", "accepted", R"(,"generation":1)")); }
  void laptop_accepts() {
    exchange.send(laptop, accept("1"));
    (void)laptop.take();
  }
  // What was on its way to the other device passes to nobody; the fresh offer does.
  void expect_fresh_talk() {
    back(bob, snapshot("1", "alice", "callee", "accepted", R"(,"generation":1)"));
    EXPECT_EQ(bob.take(), Inbox{"ended answered_elsewhere"});
    exchange.send(alice, offer("1", 2, "o2"));
    EXPECT_EQ(laptop.take(), Inbox());
    exchange.send(alice, fresh_offer("1", 3, "o3"));
    EXPECT_EQ(laptop.take(), Inbox{"fresh offer 3 o3"});
    exchange.send(laptop, answer("1", 3, "a3"));
    EXPECT_EQ(alice.take(), Inbox{"answer 3 a3"});
    exchange.advance_alive(std::chrono::seconds(40));
    EXPECT_EQ(alice.take(), Inbox());
    EXPECT_EQ(laptop.take(), Inbox());
    exchange.check();
  }
  Device& laptop;
};

TEST(RestoreDevices, ACallerWhoHasTalkedWithAnotherDeviceBeginsAfreshWithTheOneThatHasWon) {
  AcceptedTwice call;
  call.laptop_accepts();
  call.caller_is_back();
  EXPECT_EQ(call.alice.take(), (Inbox{"accepted", "accepted fresh"}));
  call.expect_fresh_talk();
}

TEST(RestoreDevices, ADeviceThatAcceptsBeginsAfreshWithACallerWhoHasTalkedWithAnother) {
  AcceptedTwice call;
  call.caller_is_back();
  (void)call.alice.take();
  call.laptop_accepts();
  EXPECT_EQ(call.alice.take(), Inbox{"accepted fresh"});
  call.expect_fresh_talk();
}

// The accept has come to the caller over the path that stood while it rang, and that path stands.
TEST(RestoreDevices, WhoHasHeardTheAcceptOverThePathKeepsIt) {
  for (const bool caller_first : {true, false}) {
    SCOPED_TRACE(caller_first);
    Crashed call(State::ringing);
    call.exchange.crash();
    call.back(call.bob, kCalleeRings);
    if (caller_first) call.back(call.alice, kCallerTalks);
    call.exchange.send(call.bob, accept("1"));
    if (!caller_first) call.back(call.alice, kCallerTalks);
    EXPECT_EQ(call.alice.take(), Inbox{"accepted"});
    call.forget();
    call.exchange.advance_alive(std::chrono::seconds(40));
    EXPECT_EQ(call.alice.take(), Inbox());
    EXPECT_EQ(call.bob.take(), Inbox());
    call.exchange.check();
  }
}

TEST(RestoreDevices, WhoHasTalkedComesBeforeWhoWouldLikeTo) {
  Crashed call(State::connected);
  Device& laptop = call.exchange.add("bob");  // it missed that the call was answered
  call.exchange.crash();
  call.back(laptop, kCalleeRings);
  call.exchange.send(laptop, accept("1"));
  call.back(call.bob, kCalleeTalks);
  call.back(call.alice, kCallerTalks);
  EXPECT_EQ(call.alice.take(), (Inbox{"accepted", "restored 0"}));
  EXPECT_EQ(call.bob.take(), (Inbox{"restored 0"}));
  EXPECT_EQ(laptop.take(), (Inbox{"ended answered_elsewhere"}));
  call.exchange.check();
}

TEST(RestoreDevices, OfTwoDevicesOfTheCallerOneGoesOn) {
  for (const bool other_side_last : {true, false}) {
    Crashed call(State::connected);
    Device& tablet = call.exchange.add("alice");  // it was about to take the call
    call.exchange.crash();
    call.back(tablet, snapshot("1", "bob", "caller", "accepted"));
    if (!other_side_last) call.back(call.bob, kCalleeTalks);
    call.back(call.alice, kCallerTalks);
    if (other_side_last) call.back(call.bob, kCalleeTalks);
    EXPECT_EQ(tablet.take(), (Inbox{"accepted", "restored 0"}));
    EXPECT_EQ(call.alice.take(), Inbox{"ended answered_elsewhere"});
    EXPECT_EQ(call.bob.take(), Inbox{"restored 0"});
    call.exchange.check();
  }
}

TEST(RestoreDevices, ADeviceThatLeavesBeforeTheCallerIsBackSpeaksForItselfAlone) {
  for (const bool other_comes : {true, false}) {
    Crashed call(State::ringing);
    Device& laptop = call.exchange.add("bob");
    call.exchange.crash(false);
    call.back(call.bob, kCalleeRings);
    call.exchange.send(call.bob, reject("1", "busy"));
    EXPECT_EQ(call.bob.take(), (Inbox{"ended busy"}));
    call.back(call.alice, kCallerRings);
    EXPECT_EQ(call.alice.take(), Inbox{});
    EXPECT_EQ(call.bob.take(), Inbox{});  // nothing follows the end
    if (other_comes) {
      call.back(laptop, kCalleeRings);
      call.exchange.send(laptop, accept("1"));
      EXPECT_EQ(call.alice.take(), (Inbox{"accepted"}));
    } else {
      call.exchange.advance_alive(seconds(30));
      EXPECT_EQ(call.alice.take(), (Inbox{"ended busy"}));
    }
    call.exchange.check();
  }
}

}  // namespace
}  // namespace offhook::call
