// Two people talk: what each hears of the other's switches, and a call that another device goes on with.

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

const std::string kVoice = R"({"audio":true,"video":false,"screen":false})";
const std::string kScreen = R"({"audio":true,"video":false,"screen":true})";

// alice has called bob; his phone has answered, and their first connection is described.
struct Talk {
  Talk() : alice(exchange.add("alice")), phone(exchange.add("bob")), laptop(exchange.add("bob")) {
    exchange.send(alice, dial("1", "bob"));
    exchange.send(alice, offer("1", 0, "o0"));
    exchange.send(phone, ringing("1"));
    exchange.send(phone, accept("1"));
    exchange.send(phone, answer("1", 0, "a0"));
    exchange.send(alice, candidate("1", 0, "ka"));
    exchange.send(phone, candidate("1", 0, "kb"));
    forget();
  }
  void forget() {
    for (Device& device : exchange.devices) (void)device.take();
  }
  Exchange exchange;
  Device& alice;
  Device& phone;
  Device& laptop;
};

TEST(State, EachHearsOfTheOther) {
  Talk talk;
  talk.exchange.send(talk.alice, state("1", "false", kScreen));
  talk.exchange.send(talk.phone, state("1", "true", kVoice));
  EXPECT_EQ(talk.phone.inbox, Inbox{"state audio screen live"});
  EXPECT_EQ(talk.alice.inbox, Inbox{"state audio hold"});
  EXPECT_NE(talk.phone.frames.back().find(R"("from":"alice")"), std::string::npos);
}

TEST(State, TheLastOneIsKept) {
  Talk talk;
  talk.exchange.send(talk.alice, state("1", "true"));
  talk.exchange.send(talk.alice, state("1", "false", kScreen));
  EXPECT_EQ(talk.phone.take(), (Inbox{"state audio video hold", "state audio screen live"}));
  talk.exchange.send(talk.laptop, take("1"));
  EXPECT_EQ(talk.laptop.take(), Inbox{"taken audio screen live"});
}

TEST(State, OfTheCallerBeforeTheAcceptIsToldAtTheAccept) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, state("1", "false", kVoice));
  EXPECT_EQ(bob.take(), Inbox{"incoming alice"});
  exchange.send(bob, accept("1"));
  EXPECT_EQ(bob.take(), Inbox{"state audio live"});
}

TEST(State, ADeviceThatResumesHearsOfItOnce) {
  Talk talk;
  talk.exchange.cut(talk.phone);
  talk.exchange.send(talk.alice, state("1", "true"));
  EXPECT_TRUE(talk.phone.inbox.empty());
  talk.exchange.connect(talk.phone);
  EXPECT_EQ(talk.phone.inbox, Inbox{"state audio video hold"});
}

TEST(State, OfAStrangerOrALegIsRefused) {
  Talk talk;
  Device& carol = talk.exchange.add("carol");
  talk.exchange.send(carol, state("1", "true"));
  EXPECT_EQ(carol.inbox, Inbox{"error not_in_call"});
  EXPECT_TRUE(talk.alice.inbox.empty());
}

TEST(DeclineHere, TheOtherDevicesRingOn) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& phone = exchange.add("bob");
  Device& laptop = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(phone, reject("1", "declined") + R"(,"here":true)");
  EXPECT_EQ(phone.inbox, (Inbox{"incoming alice", "ended declined"}));
  EXPECT_EQ(laptop.inbox, Inbox{"incoming alice"});
  EXPECT_TRUE(alice.inbox.empty());
  exchange.check();
  exchange.send(laptop, reject("1", "declined") + R"(,"here":true)");
  EXPECT_EQ(alice.inbox, Inbox{"ended declined"});
  exchange.check();
}

TEST(Take, TheCalleeGoesOnOnAnotherDevice) {
  Talk talk;
  talk.exchange.send(talk.alice, state("1", "false", kScreen));
  talk.forget();
  talk.exchange.send(talk.laptop, take("1"));
  EXPECT_EQ(talk.phone.take(), Inbox{"ended answered_elsewhere"});
  EXPECT_EQ(talk.laptop.take(), Inbox{"taken audio screen live"});
  EXPECT_NE(talk.laptop.frames.back().find(R"("peer":"alice","role":"callee")"), std::string::npos);
  EXPECT_NE(talk.laptop.frames.back().find(R"("generation":0)"), std::string::npos);
  EXPECT_EQ(talk.alice.take(), Inbox{"accepted fresh"});
  talk.exchange.check();

  // What was on its way between alice and the phone goes nowhere.
  talk.exchange.send(talk.alice, candidate("1", 0, "late"));
  talk.exchange.send(talk.phone, candidate("1", 0, "later"));
  talk.exchange.send(talk.alice, fresh_offer("1", 1, "o1"));
  talk.exchange.send(talk.laptop, answer("1", 1, "a1"));
  talk.exchange.send(talk.laptop, candidate("1", 1, "kl"));
  EXPECT_EQ(talk.laptop.take(), Inbox{"fresh offer 1 o1"});
  EXPECT_EQ(talk.alice.take(), (Inbox{"answer 1 a1", "candidate 1 kl"}));
  EXPECT_TRUE(talk.phone.take().empty());
  talk.exchange.send(talk.laptop, hangup("1"));
  EXPECT_EQ(talk.alice.take(), Inbox{"ended hangup"});
  talk.exchange.check();
}

TEST(Take, TheCallerGoesOnOnAnotherDevice) {
  Talk talk;
  Device& tablet = talk.exchange.add("alice");
  talk.exchange.send(tablet, take("1"));
  EXPECT_EQ(talk.alice.take(), Inbox{"ended answered_elsewhere"});
  EXPECT_EQ(tablet.take(), Inbox{"taken audio live"});
  EXPECT_NE(tablet.frames.back().find(R"("peer":"bob","role":"caller")"), std::string::npos);
  EXPECT_EQ(talk.phone.take(), Inbox{"state audio live"});
  // Repairs of the old connection come too late.
  talk.exchange.send(talk.phone, offer("1", 1, "old"));
  EXPECT_EQ(talk.phone.take(), Inbox{"error wrong_state"});
  talk.exchange.send(tablet, fresh_offer("1", 1, "o1"));
  EXPECT_EQ(talk.phone.take(), Inbox{"fresh offer 1 o1"});
  // Its description went to the device before.
  talk.exchange.send(talk.phone, candidate("1", 0, "late"));
  talk.exchange.send(talk.phone, answer("1", 1, "a1"));
  EXPECT_EQ(tablet.take(), Inbox{"answer 1 a1"});
  talk.exchange.send(talk.phone, hangup("1"));
  EXPECT_EQ(tablet.take(), Inbox{"ended hangup"});
  EXPECT_TRUE(talk.alice.take().empty());
  talk.exchange.check();
}

TEST(Take, TheSwitchesOfTheDeviceBeforeAreForgotten) {
  Talk talk;
  Device& tablet = talk.exchange.add("alice");
  talk.exchange.send(talk.alice, state("1", "true"));
  talk.forget();
  talk.exchange.send(tablet, take("1"));
  EXPECT_EQ(talk.phone.take(), Inbox{"state audio live"});
}

TEST(Take, OneDeviceAtATime) {
  Talk talk;
  Device& tablet = talk.exchange.add("bob");
  talk.exchange.send(talk.laptop, take("1"));
  talk.exchange.send(tablet, take("1"));
  EXPECT_EQ(tablet.take(), Inbox{"error wrong_state"});
  talk.exchange.send(talk.alice, fresh_offer("1", 1, "o1"));
  talk.exchange.send(tablet, take("1"));
  EXPECT_EQ(talk.laptop.take(),
            (Inbox{"taken audio video live", "fresh offer 1 o1", "ended answered_elsewhere"}));
  // And back again, to a device that has seen the call end.
  talk.exchange.send(talk.alice, fresh_offer("1", 2, "o2"));
  talk.forget();
  talk.exchange.send(talk.phone, take("1"));
  EXPECT_EQ(talk.phone.take(), Inbox{"taken audio video live"});
  talk.exchange.check();
}

TEST(Take, NobodyElseTakesIt) {
  Talk talk;
  Device& carol = talk.exchange.add("carol");
  talk.exchange.send(carol, take("1"));
  talk.exchange.send(carol, take("2"));
  EXPECT_EQ(carol.take(), (Inbox{"error not_in_call", "error unknown_call"}));
  EXPECT_TRUE(talk.phone.take().empty());
}

TEST(Take, NotBeyondTheLimitsOfADevice) {
  Settings settings;
  settings.max_dialled_calls_per_session = 1;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& tablet = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.send(tablet, dial("2", "carol"));
  exchange.send(tablet, take("1"));
  EXPECT_EQ(tablet.take(), Inbox{"error too_many_calls"});
}

TEST(Take, TheRecordTellsOfIt) {
  Talk talk;
  talk.exchange.send(talk.laptop, take("1"));
  talk.exchange.send(talk.laptop, hangup("1"));
  ASSERT_EQ(talk.exchange.records.size(), 1U);
  bool told = false;
  for (const TimelineEntry& entry : talk.exchange.records[0].timeline) {
    told = told || entry.event == "taken by another device of the callee";
  }
  EXPECT_TRUE(told);
}

TEST(Elsewhere, AnsweredCallsOfTheUsersOtherDevices) {
  Talk talk;
  talk.exchange.send(talk.alice, dial("2", "bob"));  // rings
  talk.forget();
  for (Device* device : {&talk.laptop, &talk.phone, &talk.alice}) {
    talk.exchange.send(*device, R"("type":"elsewhere")");
  }
  EXPECT_EQ(talk.laptop.inbox, Inbox{"elsewhere 1"});
  EXPECT_NE(talk.laptop.frames.back().find(R"("call":")" + call_id("1")), std::string::npos);
  EXPECT_EQ(talk.phone.inbox, Inbox{"elsewhere 0"});
  EXPECT_EQ(talk.alice.inbox, Inbox{"elsewhere 0"});
}

}  // namespace
}  // namespace offhook::call
