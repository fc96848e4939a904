// Rooms: who becomes a member, who calls whom, and what each hears when somebody is one no more.

#include "core/call/rooms.h"

#include <gtest/gtest.h>

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

const std::string kRoom = "standup";

// The members of one room, and calls between them as their clients make them.
struct Meeting {
  explicit Meeting(const std::vector<std::string>& users, const Settings& settings = {})
      : exchange(settings) {
    for (const std::string& user : users) come(user);
    forget();
  }
  // On a device of their own.
  Device& come(const std::string& user) {
    Device& device = exchange.add(user);
    exchange.send(device, join(kRoom));
    return device;
  }
  void talk(const std::string& name, Device& newer, Device& older) {
    exchange.send(newer, in_room(dial(name, older.user), kRoom));
    exchange.send(newer, offer(name, 0, "o"));
    exchange.send(older, ringing(name));
    exchange.send(older, accept(name));
    exchange.send(older, answer(name, 0, "a"));
    exchange.send(newer, connected(name));
    exchange.send(older, connected(name));
    exchange.check();
  }
  void forget() {
    for (Device& device : exchange.devices) (void)device.take();
    exchange.records.clear();
  }
  Device& at(std::size_t index) { return exchange.devices[index]; }
  Exchange exchange;
};

TEST(RoomName, HasLettersThatAnAddressTakesAsTheyAre) {
  EXPECT_TRUE(signal::RoomName::parse("a"));
  EXPECT_TRUE(signal::RoomName::parse("Stand-up_2.b"));
  EXPECT_TRUE(signal::RoomName::parse(std::string(64, 'x')));
  EXPECT_FALSE(signal::RoomName::parse(""));
  EXPECT_FALSE(signal::RoomName::parse(std::string(65, 'x')));
  EXPECT_FALSE(signal::RoomName::parse("stand up"));
  EXPECT_FALSE(signal::RoomName::parse("b/r"));
  EXPECT_FALSE(signal::RoomName::parse("b\xC3\xBCro"));
}

TEST(Room, ANewcomerHearsWhoIsThereOldestFirstAndTheOthersHearOfIt) {
  Meeting meeting({});
  Device& alice = meeting.come("alice");
  EXPECT_EQ(alice.take(), Inbox{"joined []"});
  Device& bob = meeting.come("bob");
  EXPECT_EQ(alice.take(), Inbox{"member_joined bob"});
  EXPECT_EQ(bob.take(), Inbox{"joined [alice]"});
  Device& carol = meeting.come("carol");
  EXPECT_EQ(carol.take(), Inbox{"joined [alice bob]"});
  EXPECT_EQ(alice.take(), Inbox{"member_joined carol"});
  EXPECT_EQ(bob.take(), Inbox{"member_joined carol"});
  // Saying it again is saying it once.
  meeting.exchange.send(bob, join(kRoom));
  EXPECT_EQ(bob.take(), Inbox{});
  EXPECT_EQ(alice.take(), Inbox{});
  meeting.exchange.check();
}

TEST(Room, TheFifthIsRefusedUntilSomebodyLeaves) {
  Meeting meeting({"alice", "bob", "carol", "dave"});
  Device& eve = meeting.come("eve");
  EXPECT_EQ(eve.take(), Inbox{"error room_full"});
  EXPECT_NE(eve.frames.back().find(R"("room":"standup")"), std::string::npos);
  for (std::size_t i = 0; i < kMaxRoomMembers; ++i) EXPECT_EQ(meeting.at(i).take(), Inbox{});
  meeting.exchange.send(meeting.at(1), leave(kRoom));
  meeting.exchange.send(eve, join(kRoom));
  EXPECT_EQ(eve.take(), Inbox{"joined [alice carol dave]"});
  EXPECT_EQ(meeting.at(0).take(), (Inbox{"member_left bob hangup", "member_joined eve"}));
  meeting.exchange.check();
}

TEST(Room, TheNewcomerDialsThoseWhoWereThereAndNobodyElse) {
  Meeting meeting({"alice", "bob"});
  Device& alice = meeting.at(0);
  Device& bob = meeting.at(1);
  Device& stranger = meeting.exchange.add("carol");
  // The two never dial each other, whatever they say.
  meeting.exchange.send(alice, in_room(dial("1", "bob"), kRoom));
  EXPECT_EQ(alice.take(), Inbox{"error wrong_state"});
  meeting.exchange.send(bob, in_room(dial("2", "alice"), kRoom));
  EXPECT_EQ(alice.take(), Inbox{"incoming bob"});
  EXPECT_NE(alice.frames.back().find(R"("room":"standup")"), std::string::npos);
  // One call for two.
  meeting.exchange.send(bob, in_room(dial("3", "alice"), kRoom));
  EXPECT_EQ(bob.take(), Inbox{"error too_many_calls"});
  meeting.exchange.send(stranger, in_room(dial("4", "alice"), kRoom));
  EXPECT_EQ(stranger.take(), Inbox{"error not_in_room"});
  meeting.exchange.send(bob, in_room(dial("5", "carol"), kRoom));
  EXPECT_EQ(bob.take(), Inbox{"error not_in_room"});
  // Two members may call each other as anybody may.
  meeting.exchange.send(alice, dial("6", "bob"));
  EXPECT_EQ(bob.take(), Inbox{"incoming alice"});
  meeting.exchange.check();
}

TEST(Room, ACallOfItReachesTheMembersDeviceAloneAndWakesNobody) {
  Exchange exchange;
  Device& phone = exchange.add("alice");
  Device& laptop = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(laptop, join(kRoom));
  exchange.send(bob, join(kRoom));
  exchange.send(bob, in_room(dial("1", "alice"), kRoom));
  Device& tablet = exchange.add("alice");
  EXPECT_EQ(phone.take(), Inbox{});
  EXPECT_EQ(tablet.take(), Inbox{});
  EXPECT_EQ(laptop.take(), (Inbox{"joined []", "member_joined bob", "incoming bob"}));
  exchange.send(laptop, accept("1"));
  EXPECT_TRUE(exchange.for_wakers.empty());
  EXPECT_TRUE(exchange.journal.empty());
  // Nor can it be taken: it goes where the member goes.
  exchange.send(phone, R"("type":"elsewhere")");
  exchange.send(phone, take("1"));
  EXPECT_EQ(phone.take(), (Inbox{"elsewhere 0", "error wrong_state"}));
  exchange.check();
}

TEST(Room, WhoLeavesEndsTheirCallsAndNoOthers) {
  Meeting meeting({"alice", "bob", "carol"});
  Device& alice = meeting.at(0);
  Device& bob = meeting.at(1);
  Device& carol = meeting.at(2);
  meeting.talk("1", bob, alice);
  meeting.talk("2", carol, alice);
  meeting.talk("3", carol, bob);
  meeting.forget();
  meeting.exchange.send(bob, leave(kRoom));
  EXPECT_EQ(bob.take(), (Inbox{"ended hangup", "ended hangup"}));
  EXPECT_EQ(alice.take(), (Inbox{"ended hangup", "member_left bob hangup"}));
  EXPECT_EQ(carol.take(), (Inbox{"ended hangup", "member_left bob hangup"}));
  EXPECT_EQ(meeting.exchange.server.counts().calls, 1U);
  ASSERT_EQ(meeting.exchange.records.size(), 2U);
  for (const CallEnded& record : meeting.exchange.records) {
    EXPECT_TRUE(record.connected);
    ASSERT_TRUE(record.room);
    EXPECT_EQ(record.room->text(), kRoom);
  }
  // Whoever has left hears and says nothing more of it.
  meeting.exchange.send(bob, leave(kRoom));
  meeting.exchange.send(bob, in_room(dial("4", "alice"), kRoom));
  EXPECT_EQ(bob.take(), Inbox{"error not_in_room"});
  EXPECT_EQ(alice.take(), Inbox{});
  meeting.exchange.check();
}

TEST(Room, ACallThatIsNotOfItGoesOnWithoutIt) {
  Meeting meeting({"alice", "bob"});
  Device& alice = meeting.at(0);
  Device& bob = meeting.at(1);
  meeting.exchange.send(alice, dial("1", "bob"));
  meeting.exchange.send(bob, accept("1"));
  meeting.forget();
  meeting.exchange.send(bob, leave(kRoom));
  EXPECT_EQ(alice.take(), Inbox{"member_left bob hangup"});
  EXPECT_EQ(meeting.exchange.server.counts().calls, 1U);
}

TEST(Room, WhoLeavesBeforeTheAnswerCancels) {
  Meeting meeting({"alice", "bob", "carol"});
  meeting.exchange.send(meeting.at(2), in_room(dial("1", "alice"), kRoom));
  meeting.exchange.send(meeting.at(2), in_room(dial("2", "bob"), kRoom));
  meeting.forget();
  meeting.exchange.send(meeting.at(2), leave(kRoom));
  EXPECT_EQ(meeting.at(0).take(), (Inbox{"ended canceled", "member_left carol hangup"}));
  meeting.exchange.send(meeting.come("dave"), in_room(dial("3", "bob"), kRoom));
  meeting.forget();
  meeting.exchange.send(meeting.at(1), leave(kRoom));
  EXPECT_EQ(meeting.at(3).take(), (Inbox{"ended hangup", "member_left bob hangup"}));
  meeting.exchange.check();
}

TEST(Room, WhoLosesTheSocketAndResumesStaysAMember) {
  Meeting meeting({"alice", "bob"});
  Device& alice = meeting.at(0);
  Device& bob = meeting.at(1);
  meeting.talk("1", bob, alice);
  meeting.forget();
  meeting.exchange.cut(bob);
  meeting.come("carol");
  meeting.exchange.advance(seconds(20));
  meeting.exchange.connect(bob);
  EXPECT_TRUE(bob.resumed);
  EXPECT_EQ(bob.take(), Inbox{"member_joined carol"});
  meeting.exchange.check();
}

TEST(Room, WhoseSessionEndsLeavesAndTheOthersHearWhy) {
  Meeting meeting({"alice", "bob", "carol"});
  meeting.talk("1", meeting.at(1), meeting.at(0));
  meeting.forget();
  meeting.exchange.cut(meeting.at(1));
  meeting.exchange.advance_alive(seconds(31));
  EXPECT_EQ(meeting.at(0).take(), (Inbox{"ended signaling_lost", "member_left bob signaling_lost"}));
  EXPECT_EQ(meeting.at(2).take(), Inbox{"member_left bob signaling_lost"});
  meeting.exchange.send(meeting.at(2), R"("type":"bye")");
  EXPECT_EQ(meeting.at(0).take(), Inbox{"member_left carol signaling_lost"});
  meeting.exchange.check();
}

TEST(Room, WhoseSignInIsRevokedLeavesForThat) {
  Meeting meeting({"alice", "bob"});
  meeting.talk("1", meeting.at(1), meeting.at(0));
  meeting.forget();
  EXPECT_EQ(meeting.exchange.revoke("bob").calls, 1U);
  EXPECT_EQ(meeting.at(0).take(), (Inbox{"ended credentials", "member_left bob credentials"}));
  meeting.exchange.check();
}

TEST(Room, AnotherDeviceOfTheSameUserTakesTheirPlace) {
  Meeting meeting({"alice", "bob"});
  Device& alice = meeting.at(0);
  Device& phone = meeting.at(1);
  meeting.talk("1", phone, alice);
  meeting.forget();
  Device& laptop = meeting.come("bob");
  EXPECT_EQ(phone.take(), (Inbox{"ended answered_elsewhere", "left answered_elsewhere"}));
  EXPECT_EQ(alice.take(), (Inbox{"ended hangup", "member_left bob answered_elsewhere", "member_joined bob"}));
  EXPECT_EQ(laptop.take(), Inbox{"joined [alice]"});
  // Even where the room is full.
  for (const char* user : {"carol", "dave"}) meeting.come(user);
  meeting.forget();
  meeting.exchange.send(phone, join(kRoom));
  EXPECT_EQ(phone.take(), Inbox{"joined [alice carol dave]"});
  EXPECT_EQ(laptop.take(), Inbox{"left answered_elsewhere"});
  meeting.exchange.check();
}

TEST(Room, ADialThatCrossesAnotherDeviceOfTheSameUserIsRefused) {
  Meeting meeting({"bob", "alice"});
  // She is the younger one, and dials him; but the bob who is there by then has joined after her.
  meeting.come("bob");
  meeting.forget();
  meeting.exchange.send(meeting.at(1), in_room(dial("1", "bob"), kRoom));
  EXPECT_EQ(meeting.at(1).take(), Inbox{"error wrong_state"});
  meeting.exchange.send(meeting.at(2), in_room(dial("2", "alice"), kRoom));
  EXPECT_EQ(meeting.at(1).take(), Inbox{"incoming bob"});
  meeting.exchange.check();
}

TEST(Room, AUserIsInFewAtOnceAndTheServerHasSoMany) {
  Settings settings;
  settings.max_rooms = 3;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  for (const char* room : {"a", "b", "c"}) exchange.send(alice, join(room));
  EXPECT_EQ(alice.take(), (Inbox{"joined []", "joined []", "error too_many_rooms"}));
  for (const char* room : {"c", "d", "a"}) exchange.send(bob, join(room));
  EXPECT_EQ(bob.take(), (Inbox{"joined []", "error too_many_rooms", "joined [alice]"}));
  exchange.send(alice, leave("b"));
  exchange.send(bob, leave("c"));
  exchange.send(bob, join("d"));
  EXPECT_EQ(bob.take(), Inbox{"joined []"});
  exchange.check();
}

TEST(Room, JoiningCountsAsDialling) {
  Settings settings;
  settings.dials_per_minute = 3;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  for (int i = 0; i < 2; ++i) {
    exchange.send(alice, join(kRoom));
    exchange.send(alice, leave(kRoom));
  }
  exchange.send(alice, dial("1", "nobody"));
  exchange.send(alice, join(kRoom));
  EXPECT_EQ(alice.take(), (Inbox{"joined []", "joined []", "error too_many_dials"}));
  EXPECT_NE(alice.frames.back().find(R"("retry_after_ms":20000)"), std::string::npos);
}

TEST(Room, AnIdleMembersSessionIsNotGivenUpForAnother) {
  Settings settings;
  settings.max_sessions_per_user = 1;
  Meeting meeting({"alice"}, settings);
  meeting.exchange.cut(meeting.at(0));
  meeting.exchange.add("alice");
  EXPECT_EQ(meeting.exchange.last_close, "4429 too_many_sessions");
  meeting.exchange.connect(meeting.at(0));
  EXPECT_TRUE(meeting.at(0).resumed);
}

TEST(Room, IsGoneWhenTheServerShutsDown) {
  Meeting meeting({"alice", "bob"});
  meeting.talk("1", meeting.at(1), meeting.at(0));
  meeting.forget();
  meeting.exchange.shutdown();
  EXPECT_EQ(meeting.at(0).take(), Inbox{"ended server_shutdown"});
  meeting.exchange.check();
}

// After a restart the members join again, and tell of the calls that they have.
struct Restarted : Meeting {
  Restarted() : Meeting({"alice", "bob"}) {
    talk("1", at(1), at(0));
    exchange.crash();
    forget();
  }
  void back(Device& device, const std::string& told) {
    exchange.connect(device);
    exchange.send(device, join(kRoom));
    exchange.send(device, in_room(told, kRoom));
    exchange.check();
  }
};

const std::string kAliceTalks = snapshot("1", "bob", "callee", "connected", R"(,"generation":0)");
const std::string kBobTalks = snapshot("1", "alice", "caller", "connected", R"(,"generation":0)");

TEST(RoomAfterARestart, MembersJoinAgainAndTheirCallsGoOn) {
  for (const bool older_first : {true, false}) {
    Restarted meeting;
    if (older_first) meeting.back(meeting.at(0), kAliceTalks);
    meeting.back(meeting.at(1), kBobTalks);
    if (!older_first) meeting.back(meeting.at(0), kAliceTalks);
    Inbox alice = older_first ? Inbox{"joined []", "member_joined bob"} : Inbox{"joined [bob]"};
    Inbox bob = older_first ? Inbox{"joined [alice]"} : Inbox{"joined []", "member_joined alice"};
    alice.push_back("restored 0");
    bob.insert(bob.end(), {"accepted", "restored 0"});
    EXPECT_EQ(meeting.at(0).take(), alice);
    EXPECT_EQ(meeting.at(1).take(), bob);
    meeting.exchange.send(meeting.at(0), leave(kRoom));
    EXPECT_EQ(meeting.at(1).take(), (Inbox{"ended hangup", "member_left alice hangup"}));
    ASSERT_EQ(meeting.exchange.records.size(), 1U);
    EXPECT_TRUE(meeting.exchange.records[0].room);
    meeting.exchange.check();
  }
}

TEST(RoomAfterARestart, ACallIsNotOfARoomForOneSideAlone) {
  Restarted meeting;
  meeting.back(meeting.at(0), kAliceTalks);
  meeting.exchange.connect(meeting.at(1));
  meeting.exchange.send(meeting.at(1), kBobTalks);
  EXPECT_EQ(meeting.at(1).take(), Inbox{});
  EXPECT_EQ(meeting.exchange.server.counts().calls, 0U);
  meeting.exchange.advance_alive(seconds(30));
  EXPECT_EQ(meeting.at(1).take(), Inbox{"ended signaling_lost"});
  meeting.exchange.check();
}

TEST(RoomAfterARestart, NobodyIsPutIntoOneThatTheyHaveNotJoined) {
  Restarted meeting;
  meeting.back(meeting.at(0), kAliceTalks);
  meeting.exchange.connect(meeting.at(1));
  meeting.exchange.send(meeting.at(1), in_room(kBobTalks, kRoom));
  EXPECT_EQ(meeting.exchange.server.counts().calls, 0U);
  EXPECT_EQ(meeting.at(1).take(), Inbox{});
  meeting.exchange.check();
}

TEST(RoomAfterARestart, ACallThatNobodyHasAnsweredIsDialledAnew) {
  Restarted meeting;
  meeting.back(meeting.at(1), snapshot("2", "alice", "caller", "ringing"));
  EXPECT_EQ(meeting.at(1).take(), (Inbox{"joined []", "error wrong_state"}));
}

}  // namespace
}  // namespace offhook::call
