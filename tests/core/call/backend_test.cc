// What the app's backend sees of calls and does to them.

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

signal::CallId id(const std::string& name) { return *signal::CallId::parse(call_id(name)); }

std::string names(const CallPage& page) {
  std::string names;
  for (const CallRecord& call : page.calls) names += call.call.text().substr(2, 1);
  return names;
}

std::vector<std::string> events(const CallRecord& record) {
  std::vector<std::string> events;
  for (const TimelineEntry& entry : record.timeline) events.push_back(entry.event);
  return events;
}

TEST(Backend, SeesALiveCallAsItIs) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.advance(milliseconds(1500));
  exchange.send(bob, ringing("1"));
  const auto ringing_call = exchange.server.record(id("1"), exchange.now);
  ASSERT_TRUE(ringing_call);
  EXPECT_EQ(ringing_call->state, State::ringing);
  EXPECT_EQ(ringing_call->caller, "alice");
  EXPECT_EQ(ringing_call->callee, "bob");
  EXPECT_TRUE(ringing_call->media.video);
  EXPECT_EQ(ringing_call->lasted, milliseconds(1500));
  EXPECT_FALSE(ringing_call->to_caller);
  EXPECT_EQ(events(*ringing_call),
            (std::vector<std::string>{"dialled, audio and video", "sent to a device", "ringing"}));
  exchange.send(bob, accept("1"));
  EXPECT_EQ(exchange.server.record(id("1"), exchange.now)->state, State::accepted);
  EXPECT_FALSE(exchange.server.record(id("2"), exchange.now));
}

TEST(Backend, RemembersACallWithWhatBothEndsWereTold) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.advance(seconds(3));
  exchange.send(bob, hangup("1"));
  const auto record = exchange.server.record(id("1"), exchange.now + seconds(60));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, State::ended);
  EXPECT_TRUE(record->accepted);
  EXPECT_FALSE(record->connected);
  EXPECT_EQ(record->lasted, seconds(3)) << "it does not last on after its end";
  EXPECT_EQ(record->to_caller->verdict.sentence, "The other person hung up.");
  EXPECT_EQ(record->to_callee->verdict.sentence, "You hung up.");
  EXPECT_EQ(events(*record).back(), "ended: hangup");
}

TEST(Backend, ARecordTellsTheCalleeWhatTheDeviceThatDeclinedWasTold) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  Device& other = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(other, reject("1", "declined"));
  EXPECT_EQ(bob.take().back(), "ended declined_elsewhere");
  const auto record = exchange.server.record(id("1"), exchange.now);
  EXPECT_EQ(record->to_caller->reason, signal::EndReason::declined);
  EXPECT_EQ(record->to_callee->reason, signal::EndReason::declined);
  EXPECT_EQ(record->to_callee->verdict.sentence, "You declined the call.");
}

TEST(Backend, ForgetsTheOldestRecordsBeyondTheLimit) {
  Settings settings;
  settings.max_records = 2;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  exchange.add("bob");
  for (const char* name : {"1", "2", "3"}) {
    exchange.send(alice, dial(name, "bob"));
    exchange.send(alice, hangup(name));
  }
  EXPECT_FALSE(exchange.server.record(id("1"), exchange.now));
  EXPECT_TRUE(exchange.server.record(id("2"), exchange.now));
  EXPECT_EQ(names(exchange.server.page({.limit = 10}, exchange.now)), "32");
  exchange.check();
}

class Paging : public ::testing::Test {
 protected:
  // Six calls: 1, 3, 5 of alice to bob, 2, 4, 6 of carol to dave; 1, 2 and 5 are over.
  void SetUp() override {
    Device& alice = exchange.add("alice");
    Device& carol = exchange.add("carol");
    for (const char* user : {"bob", "dave"}) exchange.add(user);
    for (const char* name : {"1", "2", "3", "4", "5", "6"}) {
      const bool odd = (name[0] - '0') % 2 == 1;
      exchange.send(odd ? alice : carol, dial(name, odd ? "bob" : "dave"));
      if (name[0] == '2') exchange.send(carol, hangup("2"));
      if (name[0] == '3') exchange.send(alice, hangup("1"));
    }
    exchange.send(alice, hangup("5"));
  }
  std::string page(const CallQuery& query) { return names(exchange.server.page(query, exchange.now)); }
  Exchange exchange;
};

TEST_F(Paging, ListsLiveAndEndedTogetherYoungestFirst) {
  EXPECT_EQ(page({.limit = 10}), "654321");
  EXPECT_EQ(page({.live = true, .limit = 10}), "643");
  EXPECT_EQ(page({.live = false, .limit = 10}), "521");
  EXPECT_EQ(page({.user = "bob", .limit = 10}), "531");
  EXPECT_EQ(page({.user = "carol", .live = true, .limit = 10}), "64");
  EXPECT_EQ(page({.user = "nobody", .limit = 10}), "");
}

TEST_F(Paging, PagesMeetWithoutAGapThoughCallsEndBetweenThem) {
  CallQuery query{.limit = 2};
  std::string seen;
  for (;;) {
    const CallPage next = exchange.server.page(query, exchange.now);
    seen += names(next) + " ";
    (void)exchange.end_by_app(seen.substr(seen.size() - 2, 1));
    if (!next.next_before) break;
    query.before = next.next_before;
  }
  EXPECT_EQ(seen, "65 43 21 ");
}

TEST_F(Paging, TheLastPageSaysSo) {
  EXPECT_FALSE(exchange.server.page({.limit = 6}, exchange.now).next_before);
  EXPECT_TRUE(exchange.server.page({.limit = 5}, exchange.now).next_before);
  EXPECT_FALSE(exchange.server.page({.user = "bob", .limit = 3}, exchange.now).next_before)
      << "calls of others are no next page";
}

TEST(Backend, EndsACallForBothSidesWithOneReason) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  EXPECT_TRUE(exchange.end_by_app("1"));
  EXPECT_EQ(alice.take().back(), "ended hangup");
  EXPECT_EQ(bob.take().back(), "ended hangup");
  EXPECT_NE(alice.frames.back().find("The app ended the call."), std::string::npos) << alice.frames.back();
  EXPECT_NE(bob.frames.back().find("The app ended the call."), std::string::npos) << bob.frames.back();
  EXPECT_EQ(exchange.records.back().timeline.back().event, "ended: hangup, by the app");
  EXPECT_FALSE(exchange.end_by_app("1")) << "it is over";
  exchange.check();
}

TEST(Backend, EndsACallThatStillRingsAsCanceledOnEveryDevice) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  Device& other = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, ringing("1"));
  EXPECT_TRUE(exchange.end_by_app("1"));
  for (Device* device : {&alice, &bob, &other}) EXPECT_EQ(device->take().back(), "ended canceled");
  const auto record = exchange.server.record(id("1"), exchange.now);
  EXPECT_EQ(record->to_callee->verdict.sentence, "The app ended the call before anyone answered.");
  exchange.check();
}

TEST(Backend, SeesDevicesAndWhetherOneIsInACall) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  Device& other = exchange.add("bob");
  EXPECT_TRUE(exchange.server.presence("carol").devices.empty());
  exchange.send(alice, dial("1", "bob"));
  Presence presence = exchange.server.presence("bob");
  ASSERT_EQ(presence.devices.size(), 2U);
  EXPECT_EQ(presence.devices[0].session, bob.session);
  EXPECT_EQ(presence.devices[1].calls, std::vector<signal::CallId>{id("1")});
  EXPECT_FALSE(presence.in_call) << "it only rings";
  exchange.send(bob, accept("1"));
  exchange.cut(other);
  presence = exchange.server.presence("bob");
  EXPECT_TRUE(presence.in_call);
  EXPECT_TRUE(exchange.server.presence("alice").in_call);
  EXPECT_TRUE(presence.devices[0].connected);
  EXPECT_FALSE(presence.devices[1].connected) << "in its grace";
  EXPECT_TRUE(presence.devices[1].calls.empty());
}

TEST(Backend, RevokingEndsAUsersCallsAndSessionsAndNobodyElses) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  Device& pocket = exchange.add("bob");
  Device& carol = exchange.add("carol");
  Device& dave = exchange.add("dave");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.send(pocket, dial("2", "carol"));
  exchange.send(carol, dial("3", "dave"));
  const Revoked revoked = exchange.revoke("bob");
  EXPECT_EQ(revoked.sessions, 2U);
  EXPECT_EQ(revoked.calls, 2U);
  EXPECT_EQ(alice.take().back(), "ended credentials");
  EXPECT_EQ(bob.take().back(), "ended credentials");
  EXPECT_EQ(pocket.take().back(), "ended credentials");
  EXPECT_EQ(carol.take().back(), "ended credentials");
  EXPECT_NE(alice.frames.back().find("the other person's sign-in"), std::string::npos);
  EXPECT_NE(bob.frames.back().find("this device's credentials"), std::string::npos);
  for (Device* device : {&bob, &pocket}) {
    EXPECT_EQ(device->closes, std::vector<std::string>{"4401 token_revoked"});
  }
  EXPECT_TRUE(alice.connection && carol.connection);
  EXPECT_EQ(dave.take(), Inbox{"incoming carol"});
  EXPECT_EQ(exchange.server.record(id("3"), exchange.now)->state, State::dialing);
  EXPECT_TRUE(exchange.server.presence("bob").devices.empty());
  exchange.check();
}

TEST(Backend, RevokingReachesCallsToAUserWhoIsOffline) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  EXPECT_EQ(exchange.revoke("bob").calls, 1U);
  EXPECT_EQ(alice.take(), Inbox{"ended credentials"});
  exchange.check();
}

TEST(Backend, ARevokedSessionCannotBeResumed) {
  Exchange exchange;
  Device& bob = exchange.add("bob");
  const std::string before = bob.session;
  exchange.cut(bob);
  EXPECT_EQ(exchange.revoke("bob").sessions, 1U);
  exchange.connect(bob);
  EXPECT_FALSE(bob.resumed);
  EXPECT_NE(bob.session, before);
  exchange.check();
}

}  // namespace
}  // namespace offhook::call
