// What happens while a call rings: who answers, who hears what, and what the accept makes of it.

#include "core/call/ringing_call.h"

namespace offhook::call {
namespace {

TEST(WarmPath, TheFirstAnswerPassesAndThoseOfOthersDoNot) {
  RingingCall call;
  call.exchange.send(call.laptop, candidate("1", 0, kRelay));
  call.exchange.send(call.phone, candidate("1", 0, kRelay));
  call.exchange.send(call.phone, answer("1", 0, "of the phone"));
  call.exchange.send(call.laptop, answer("1", 0, "of the laptop"));
  call.exchange.send(call.laptop, candidate("1", 0, kHost));
  call.exchange.send(call.phone, candidate("1", 0, kHost));
  EXPECT_EQ(call.alice.inbox, (Inbox{"answer 0 of the phone", trickled(0, kRelayShown)}));
  EXPECT_EQ(call.laptop.inbox, Inbox{}) << "no error";
  EXPECT_EQ(call.phone.inbox, Inbox{});
  call.exchange.check();
}

TEST(WarmPath, AcceptReleasesInOrderBothWays) {
  RingingCall call;
  for (Device* device : {&call.alice, &call.phone}) {
    if (device == &call.phone) call.exchange.send(call.phone, answer("1", 0, "a0"));
    for (const std::string& line : {kHost, kRelay, kTcp, kHost, std::string("not a candidate 192.0.2.9")})
      call.exchange.send(*device, candidate("1", 0, line));
    call.exchange.send(*device, candidate("1", 0, ""));
    call.exchange.send(*device, candidate("1", 0, kHost2));
  }
  EXPECT_EQ(call.alice.take(), (Inbox{"answer 0 a0", trickled(0, kRelayShown)}));
  EXPECT_EQ(call.phone.take(), Inbox{trickled(0, kRelayShown)});
  EXPECT_EQ(call.laptop.take(), Inbox{trickled(0, kRelayShown)});
  call.exchange.send(call.phone, accept("1"));
  const Inbox released = {trickled(0, kHost), trickled(0, kTcp), trickled(0, "not a candidate 192.0.2.9"),
                          trickled(0, ""), trickled(0, kHost2)};
  EXPECT_EQ(call.phone.take(), released);
  Inbox of_alice = call.alice.take();
  ASSERT_FALSE(of_alice.empty());
  EXPECT_EQ(of_alice.front(), "accepted");
  of_alice.erase(of_alice.begin());
  EXPECT_EQ(of_alice, released);
  EXPECT_EQ(call.laptop.inbox, Inbox{"ended answered_elsewhere"});
  // From now on everything passes as it comes, and duplicates of what was released do not.
  call.exchange.send(call.alice, candidate("1", 0, kHost2));
  call.exchange.send(call.alice, candidate("1", 0, kRelay));
  call.exchange.send(call.alice, candidate("1", 0, kRelay + " generation 0"));
  EXPECT_EQ(call.phone.take(), Inbox{trickled(0, kRelay + " generation 0")});
  call.exchange.check();
}

// The first checks of ICE come before the candidates that say where from.
TEST(WarmPath, FromTheAcceptOnEachSideIsExpectedWhereItsConnectionComesFrom) {
  RingingCall call(WarmPath::off);
  const auto move = [&](Device& device, std::string_view ip) {
    device.seen_at = Ip::parse(ip);
    call.exchange.cut(device);
    call.exchange.connect(device);
  };
  move(call.alice, "192.0.2.1");
  move(call.phone, "192.0.2.2");
  move(call.laptop, "192.0.2.3");
  EXPECT_EQ(call.exchange.introductions, Inbox{}) << "nobody has accepted";
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.exchange.introductions, (Inbox{"alice 192.0.2.2:0", "bob 192.0.2.1:0"}));
  move(call.phone, "2001:db8::2");
  move(call.laptop, "192.0.2.4");
  move(call.alice, "192.0.2.1");
  EXPECT_EQ(call.exchange.introductions.size(), 3U);
  EXPECT_EQ(call.exchange.introductions.back(), "alice [2001:db8::2]:0");
}

TEST(WarmPath, DirectWithholdsNothing) {
  RingingCall call(WarmPath::direct, WarmPath::direct, WarmPath::relay);
  call.exchange.send(call.alice, candidate("1", 0, kHost));
  call.exchange.send(call.alice, candidate("1", 0, ""));
  call.exchange.send(call.phone, answer("1", 0, "o=- 1 1 IN IP4 192.0.2.1\\r\\n"));
  call.exchange.send(call.phone, candidate("1", 0, kRelay));
  EXPECT_EQ(call.phone.take(), (Inbox{trickled(0, kHost), trickled(0, "")}));
  EXPECT_EQ(call.laptop.take(), Inbox{}) << "its own wish is stricter";
  EXPECT_EQ(call.alice.take(), (Inbox{"answer 0 o=- 1 1 IN IP4 192.0.2.1\r\n", trickled(0, kRelay)}));
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.phone.take(), Inbox{});
  EXPECT_EQ(call.alice.take(), Inbox{"accepted"});
}

TEST(WarmPath, TheStricterOfBothCounts) {
  for (const WarmPath alices : kWarmPaths) {
    for (const WarmPath bobs : kWarmPaths) {
      RingingCall call(bobs, alices);
      const WarmPath both = std::max(alices, bobs);
      const std::string shown = R"("warm_path":")" + std::string(name(both)) + "\"";
      EXPECT_NE(call.phone.frames[1].find(shown), std::string::npos) << call.phone.frames[1];
      EXPECT_NE(call.phone.frames[0].find(R"("warm_path":")" + std::string(name(bobs)) + "\""),
                std::string::npos)
          << "welcome tells the session's own";
      call.exchange.send(call.alice, candidate("1", 0, kHost));
      EXPECT_EQ(call.phone.take().size(), both == WarmPath::direct ? 1U : 0U);
      call.exchange.send(call.phone, answer("1", 0, "a0"));
      EXPECT_EQ(call.phone.take(), both == WarmPath::off ? Inbox{"error wrong_state"} : Inbox{});
      EXPECT_EQ(call.alice.take(), both == WarmPath::off ? Inbox{} : Inbox{"answer 0 a0"});
    }
  }
}

TEST(WarmPath, WhereItIsOffTheAnswerFollowsTheAccept) {
  RingingCall call(WarmPath::off);
  call.exchange.send(call.alice, candidate("1", 0, kRelay));
  call.exchange.send(call.alice, candidate("1", 0, kHost));
  call.exchange.send(call.phone, candidate("1", 0, kHost));
  EXPECT_EQ(call.phone.take(), Inbox{trickled(0, kRelayShown)});
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.phone.take(), Inbox{trickled(0, kHost)});
  EXPECT_EQ(call.alice.take(), Inbox{"accepted"});
  call.exchange.send(call.phone, answer("1", 0, "a0"));
  EXPECT_EQ(call.alice.take(), (Inbox{"answer 0 a0", trickled(0, kHost)}));
}

TEST(WarmPath, AnotherDeviceStartsAfresh) {
  RingingCall call;
  call.exchange.send(call.alice, candidate("1", 0, kHost));
  call.answer_by(call.phone);
  call.exchange.send(call.laptop, answer("1", 0, "kept out"));
  call.exchange.send(call.laptop, candidate("1", 0, kHost));
  call.exchange.send(call.laptop, accept("1"));
  EXPECT_EQ(call.alice.take(), Inbox{"accepted fresh"});
  EXPECT_EQ(call.phone.take(), Inbox{"ended answered_elsewhere"});
  EXPECT_EQ(call.laptop.take(), Inbox{}) << "what belongs to the old peer connection is released to nobody";

  // What is on its way for the old one goes nowhere, and is no error.
  call.exchange.send(call.alice, candidate("1", 0, kHost2));
  call.exchange.send(call.alice, offer("1", 1, "crossed the accept"));
  call.exchange.send(call.alice, candidate("1", 1, kHost));
  call.exchange.send(call.laptop, answer("1", 0, "late"));
  call.exchange.send(call.laptop, candidate("1", 0, kHost2));
  EXPECT_EQ(call.alice.take(), Inbox{});
  EXPECT_EQ(call.laptop.take(), Inbox{});
  call.exchange.send(call.laptop, offer("1", 2, "too early"));
  EXPECT_EQ(call.laptop.take(), Inbox{"error wrong_state"});
  call.exchange.check();

  call.exchange.send(call.alice, candidate("1", 2, kHost));
  call.exchange.send(call.alice, fresh_offer("1", 2, "new"));
  call.exchange.send(call.laptop, candidate("1", 2, kRelay));
  call.exchange.send(call.laptop, answer("1", 2, "new too"));
  EXPECT_EQ(call.laptop.take(), (Inbox{"fresh offer 2 new", trickled(2, kHost)}));
  EXPECT_EQ(call.alice.take(), (Inbox{"answer 2 new too", trickled(2, kRelay)}));
  call.exchange.send(call.laptop, offer("1", 3, "restart"));
  EXPECT_EQ(call.alice.take(), Inbox{"offer 3 restart"});
  call.exchange.check();
}

TEST(WarmPath, AfterTheAcceptEitherSideMayStartAfreshAndTheFirstOfTwoWins) {
  RingingCall call;
  call.answer_by(call.phone);
  call.exchange.send(call.phone, accept("1"));
  call.alice.take();
  call.phone.take();

  call.exchange.send(call.phone, fresh_offer("1", 1, "moved"));
  call.exchange.send(call.phone, candidate("1", 1, kHost));
  EXPECT_EQ(call.alice.take(), (Inbox{"fresh offer 1 moved", trickled(1, kHost)}));
  call.exchange.send(call.alice, fresh_offer("1", 1, "moved too"));
  EXPECT_EQ(call.alice.take(), Inbox{"error stale_generation"});
  call.exchange.send(call.alice, answer("1", 1, "a1"));
  call.exchange.send(call.alice, candidate("1", 1, kHost));
  EXPECT_EQ(call.phone.take(), (Inbox{"answer 1 a1", trickled(1, kHost)}));

  call.exchange.send(call.alice, fresh_offer("1", 2, "and again"));
  EXPECT_EQ(call.phone.take(), Inbox{"fresh offer 2 and again"});
  call.exchange.send(call.phone, answer("1", 2, "a2"));
  EXPECT_EQ(call.alice.take(), Inbox{"answer 2 a2"});
  call.exchange.check();
}

TEST(WarmPath, ADeviceThatHasNotAnsweredWinsAsEverIfNobodyHas) {
  RingingCall call;
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.alice.take(), Inbox{"accepted"});
  call.exchange.send(call.phone, answer("1", 0, "a0"));
  EXPECT_EQ(call.alice.take(), Inbox{"answer 0 a0"});
}

TEST(WarmPath, WhenTheWarmDeviceIsGoneTheNextStartsAfresh) {
  for (const bool says_bye : {true, false}) {
    RingingCall call;
    call.answer_by(call.phone);
    call.exchange.send(call.phone, says_bye ? R"("type":"bye")" : reject("1", "busy"));
    EXPECT_EQ(call.alice.take(), Inbox{}) << "the caller rings on";
    call.exchange.send(call.laptop, answer("1", 0, "too late"));
    call.exchange.send(call.alice, offer("1", 1, "for nobody"));
    call.exchange.send(call.alice, candidate("1", 1, kRelay));
    Device& tablet = call.exchange.add("bob");
    EXPECT_EQ(tablet.take(), Inbox{"incoming alice"});
    EXPECT_EQ(call.laptop.take(), Inbox{});
    call.exchange.send(tablet, accept("1"));
    EXPECT_EQ(call.alice.take(), Inbox{"accepted fresh"});
    call.exchange.send(call.alice, fresh_offer("1", 2, "o2"));
    EXPECT_EQ(tablet.take(), Inbox{"fresh offer 2 o2"});
    call.exchange.check();
  }
}

TEST(WarmPath, TheCallerMayRepairWhileItRings) {
  RingingCall call;
  call.exchange.send(call.alice, candidate("1", 0, kHost));
  call.exchange.send(call.alice, offer("1", 1, "o1"));
  EXPECT_EQ(call.phone.take(), Inbox{"offer 1 o1"}) << "nobody has answered: all devices";
  EXPECT_EQ(call.laptop.take(), Inbox{"offer 1 o1"});
  call.exchange.send(call.phone, answer("1", 0, "to the older one"));
  EXPECT_EQ(call.phone.take(), Inbox{"error stale_generation"});
  Device& tablet = call.exchange.add("bob", WarmPath::relay);
  EXPECT_EQ(tablet.take(), (Inbox{"incoming alice", "offer 1 o1"})) << "the newest alone";
  call.exchange.send(call.phone, answer("1", 1, "a1"));
  EXPECT_EQ(call.alice.take(), Inbox{"answer 1 a1"});
  call.exchange.send(call.alice, offer("1", 2, "o2"));
  call.exchange.send(call.alice, candidate("1", 2, kRelay));
  call.exchange.send(call.alice, candidate("1", 2, kHost2));
  EXPECT_EQ(call.phone.take(), (Inbox{"offer 2 o2", trickled(2, kRelayShown)})) << "the warm device alone";
  EXPECT_EQ(call.laptop.take(), Inbox{});
  EXPECT_EQ(tablet.take(), Inbox{});
  call.exchange.send(call.phone, answer("1", 2, "a2"));
  call.exchange.send(call.phone, candidate("1", 2, kHost));
  EXPECT_EQ(call.alice.take(), Inbox{"answer 2 a2"});
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.phone.take(), Inbox{trickled(2, kHost2)}) << "of the newest generation alone";
  EXPECT_EQ(call.alice.take(), (Inbox{"accepted", trickled(2, kHost)}));
  call.exchange.check();
}

TEST(WarmPath, TheWarmDeviceMayRepairAndNoOther) {
  RingingCall call;
  call.exchange.send(call.phone, offer("1", 1, "before its answer"));
  EXPECT_EQ(call.phone.take(), Inbox{"error wrong_state"});
  call.answer_by(call.phone);
  call.exchange.send(call.laptop, offer("1", 1, "not warm"));
  EXPECT_EQ(call.laptop.take(), Inbox{"error wrong_state"});
  call.exchange.send(call.phone, fresh_offer("1", 1, "not its to begin"));
  EXPECT_EQ(call.phone.take(), Inbox{"error wrong_state"});
  call.exchange.send(call.phone, candidate("1", 1, kHost));
  call.exchange.send(call.phone, candidate("1", 1, kRelay));
  call.exchange.send(call.phone, offer("1", 1, "c=IN IP4 192.0.2.1\\r\\n"));
  EXPECT_EQ(call.alice.take(), (Inbox{"offer 1 c=IN IP4 0.0.0.0\r\n", trickled(1, kRelayShown)}));
  call.exchange.send(call.alice, offer("1", 1, "crossed"));
  EXPECT_EQ(call.alice.take(), Inbox{"error stale_generation"});
  call.exchange.send(call.alice, answer("1", 1, "a1"));
  call.exchange.send(call.alice, candidate("1", 1, kHost));
  EXPECT_EQ(call.phone.take(), Inbox{"answer 1 a1"});
  EXPECT_EQ(call.laptop.take(), Inbox{});
  Device& tablet = call.exchange.add("bob", WarmPath::relay);
  EXPECT_EQ(tablet.take(), Inbox{"incoming alice"});
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.alice.take(), (Inbox{"accepted", trickled(1, kHost)}));
  EXPECT_EQ(call.phone.take(), Inbox{trickled(1, kHost)});
}

TEST(WarmPath, TheCallerMayBeginAfreshWhileItRings) {
  RingingCall call;
  call.answer_by(call.phone);
  call.exchange.send(call.phone, candidate("1", 0, kHost));
  call.exchange.send(call.alice, fresh_offer("1", 1, "o1"));
  EXPECT_EQ(call.phone.take(), Inbox{"fresh offer 1 o1"});
  EXPECT_EQ(call.laptop.take(), Inbox{"fresh offer 1 o1"});
  call.exchange.send(call.phone, candidate("1", 0, kRelay));
  call.exchange.send(call.laptop, answer("1", 1, "a1"));
  EXPECT_EQ(call.alice.take(), Inbox{"answer 1 a1"});
  call.exchange.send(call.laptop, accept("1"));
  EXPECT_EQ(call.alice.take(), Inbox{"accepted"});
  call.exchange.check();
}

TEST(WarmPath, WhatIsWithheldOfADescriptionIsReleasedToo) {
  const std::string lines = "v=0\\r\\nm=audio 5000 X 0\\r\\na=" + kHost + "\\r\\na=" + kRelay +
                            "\\r\\na=ice-ufrag:U\\r\\na=mid:0\\r\\na=end-of-candidates\\r\\n";
  const std::string shown = "v=0\r\nm=audio 9 X 0\r\na=" + kRelayShown + "\r\na=ice-ufrag:U\r\na=mid:0\r\n";
  RingingCall call;
  call.exchange.send(call.alice, candidate("1", 1, kHost2, "U"));
  call.exchange.send(call.alice, candidate("1", 1, kHost, "U"));
  call.exchange.send(call.alice, offer("1", 1, lines));
  EXPECT_EQ(call.phone.take(), Inbox{"offer 1 " + shown});
  call.exchange.send(call.phone, answer("1", 1, lines));
  EXPECT_EQ(call.alice.take(), Inbox{"answer 1 " + shown});
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.phone.take(), (Inbox{trickled(1, ""), trickled(1, kHost2), trickled(1, kHost)}))
      << "what was trickled as well comes once";
  EXPECT_EQ(call.alice.take(), (Inbox{"accepted", trickled(1, kHost), trickled(1, "")}));
  const std::string& frame = call.alice.frames[call.alice.frames.size() - 2];
  EXPECT_NE(frame.find(R"("sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"U")"), std::string::npos)
      << frame;
  call.exchange.check();
}

TEST(WarmPath, WithheldCandidatesCountIntoTheHundred) {
  RingingCall call;
  std::string lines = "v=0\\n";
  for (int i = 0; i < 60; ++i) lines += "a=candidate:" + std::to_string(i) + "\\n";
  for (int i = 0; i < 41; ++i) call.exchange.send(call.alice, candidate("1", 1, "k" + std::to_string(i)));
  call.exchange.send(call.alice, offer("1", 1, lines));
  EXPECT_EQ(call.alice.take(), Inbox{"error too_many_candidates"});
  call.exchange.send(call.phone, answer("1", 0, lines + lines));
  EXPECT_EQ(call.phone.take(), Inbox{"error too_many_candidates"});
  EXPECT_EQ(call.alice.take(), Inbox{});
  call.exchange.send(call.phone, answer("1", 0, lines));
  EXPECT_EQ(call.alice.take().size(), 1U);
  for (int i = 0; i < 41; ++i) call.exchange.send(call.phone, candidate("1", 0, "k" + std::to_string(i)));
  EXPECT_EQ(call.phone.take(), Inbox{"error too_many_candidates"});
  call.exchange.check();
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.alice.take().size(), 101U);
}

TEST(WarmPath, CandidatesOfOffersThatNobodyAnswersDoNotPileUp) {
  RingingCall call;
  for (int generation = 1; generation < 50; ++generation) {
    call.exchange.send(call.alice, offer("1", generation, "o"));
    for (int of = 0; of <= generation + 1; ++of) {
      for (int i = 0; i < 100; ++i)
        call.exchange.send(call.phone, candidate("1", of, "k" + std::to_string(i)));
    }
    call.exchange.check();
    if (::testing::Test::HasFatalFailure()) return;
    call.exchange.acknowledge(call.phone);
    call.exchange.acknowledge(call.laptop);
  }
}

TEST(WarmPath, TheOriginLineIsTheSameBeforeAndAfterAccept) {
  const std::string sdp = "o=- 7 1 IN IP4 192.0.2.1\\nc=IN IP4 192.0.2.1\\n";
  RingingCall call;
  call.exchange.send(call.alice, offer("1", 1, sdp));
  EXPECT_EQ(call.phone.take(), Inbox{"offer 1 o=- 7 1 IN IP4 127.0.0.1\nc=IN IP4 0.0.0.0\n"});
  call.exchange.send(call.phone, answer("1", 1, sdp));
  call.exchange.send(call.phone, accept("1"));
  call.forget();
  call.exchange.send(call.alice, offer("1", 2, sdp));
  call.exchange.send(call.phone, answer("1", 2, sdp));
  EXPECT_EQ(call.phone.take(), Inbox{"offer 2 o=- 7 1 IN IP4 127.0.0.1\nc=IN IP4 192.0.2.1\n"});
  EXPECT_EQ(call.alice.take(), Inbox{"answer 2 o=- 7 1 IN IP4 127.0.0.1\nc=IN IP4 192.0.2.1\n"});
}

TEST(WarmPath, EachIsIntroducedToWhereTheOtherIs) {
  RingingCall call;
  call.exchange.send(call.alice, candidate("1", 0, kHost));
  call.exchange.send(call.alice, candidate("1", 0, kRelay));
  call.exchange.send(call.alice, candidate("1", 0, kTcp));
  call.exchange.send(call.alice, candidate("1", 0, "candidate:5 1 udp 1 x.local 5000 typ host"));
  EXPECT_EQ(call.exchange.introductions, Inbox{"bob 203.0.113.5:50000"}) << "once, for all his devices";
  call.exchange.send(call.phone, answer("1", 0, "a=" + kHost2 + "\\na=" + kRelay + "\\n"));
  EXPECT_EQ(call.exchange.introductions.back(), "alice 203.0.113.5:50000");
  EXPECT_EQ(call.exchange.introductions.size(), 2U);
  call.exchange.send(call.phone, accept("1"));
  EXPECT_EQ(call.exchange.introductions, (Inbox{"bob 203.0.113.5:50000", "alice 203.0.113.5:50000",
                                                "bob 192.0.2.1:5000", "alice 192.0.2.2:5000"}));
  for (int i = 0; i < 60; ++i) {
    call.exchange.send(
        call.phone, candidate("1", 0, "candidate:6 1 udp 1 198.51.100." + std::to_string(i) + " 1 typ host"));
  }
  EXPECT_EQ(call.exchange.introductions.size(), 2U + 32U) << "so many a call and user";
  call.exchange.send(call.alice, offer("1", 1, "a=candidate:7 1 udp 1 2001:db8::9 2 typ srflx\\n"));
  EXPECT_EQ(call.exchange.introductions.back(), "bob [2001:db8::9]:2");
}

TEST(WarmPath, CredentialsComeWhenTheyAreNeeded) {
  Settings settings;
  settings.credentials_interval = std::chrono::minutes(5);
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  EXPECT_EQ(alice.credentials, 1U) << "after welcome";
  exchange.advance_alive(seconds(2));
  exchange.send(alice, dial("1", "bob"));
  EXPECT_EQ(alice.credentials, 2U) << "at dial";
  EXPECT_EQ(bob.credentials, 2U) << "at incoming";
  exchange.send(alice, hangup("1"));
  exchange.send(alice, dial("2", "bob"));
  EXPECT_EQ(bob.credentials, 2U) << "others do not make us mint the same again";
  exchange.send(bob, accept("2"));
  EXPECT_EQ(alice.credentials, 4U) << "at accept";
  EXPECT_EQ(bob.credentials, 3U);
  exchange.check();
  exchange.advance_alive(std::chrono::minutes(4));
  EXPECT_EQ(alice.credentials, 4U);
  exchange.advance_alive(std::chrono::minutes(1));
  EXPECT_EQ(alice.credentials, 5U) << "when half is used up";
  EXPECT_EQ(bob.credentials, 4U);
  exchange.cut(bob);
  exchange.check();
  exchange.advance_alive(seconds(10));
  exchange.connect(bob);
  EXPECT_EQ(bob.credentials, 5U) << "after each welcome";
  exchange.advance_alive(std::chrono::minutes(5));
  EXPECT_EQ(bob.credentials, 6U);
  exchange.check();
}

TEST(WarmPath, ADeviceWithoutRoomForAReleaseIsNotSparedItsQueue) {
  Settings settings;
  settings.max_queued_messages = 40;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob", WarmPath::relay);
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  for (int i = 0; i < 60; ++i) exchange.send(alice, candidate("1", 0, "k" + std::to_string(i)));
  EXPECT_EQ(bob.take().size(), 2U) << "what is withheld fills no queue";
  exchange.send(bob, accept("1"));
  EXPECT_EQ(bob.closes, Inbox{"4429 queue_overflow"});
  EXPECT_EQ(alice.inbox, (Inbox{"accepted", "ended signaling_lost"}));
  exchange.check();
}

}  // namespace
}  // namespace offhook::call
