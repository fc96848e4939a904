// The causality rule: the worst orders, then the same over connections that are cut at every possible place.

#include "core/call/causality.h"

#include <algorithm>

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

// A call that bob has accepted.
struct Accepted {
  Accepted() : alice(exchange.add("alice")), bob(exchange.add("bob")) {
    exchange.send(alice, dial("1", "bob"));
    exchange.send(bob, accept("1"));
    forget();
  }
  void forget() {
    (void)alice.take();
    (void)bob.take();
  }
  void negotiate() {
    exchange.send(alice, offer("1", 0, "o0"));
    exchange.send(bob, answer("1", 0, "a0"));
    forget();
  }
  Exchange exchange;
  Device& alice;
  Device& bob;
};

TEST(Causality, CandidatesBeforeTheOfferFollowIt) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, candidate("1", 0, "k1"));
  exchange.send(alice, candidate("1", 0, "k2"));
  EXPECT_EQ(bob.inbox, Inbox{"incoming alice"});
  exchange.send(alice, offer("1", 0, "o"));
  exchange.send(alice, candidate("1", 0, "k3"));
  EXPECT_EQ(bob.inbox,
            (Inbox{"incoming alice", "offer 0 o", "candidate 0 k1", "candidate 0 k2", "candidate 0 k3"}));
}

TEST(Causality, CandidatesOfTheCalleeBeforeItsAnswerFollowIt) {
  Accepted call;
  call.exchange.send(call.alice, offer("1", 0, "o"));
  call.exchange.send(call.bob, candidate("1", 0, "k1"));
  call.exchange.send(call.bob, candidate("1", 0, ""));
  EXPECT_EQ(call.alice.inbox, Inbox{});
  call.exchange.send(call.bob, answer("1", 0, "a"));
  EXPECT_EQ(call.alice.inbox, (Inbox{"answer 0 a", "candidate 0 k1", "candidate 0 "}));
}

TEST(Causality, CandidatesOfADeviceThatOnlyRingsAreHeldUntilItHasWonAndAnswered) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& phone = exchange.add("bob");
  Device& laptop = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  exchange.send(phone, candidate("1", 0, "of the phone"));
  exchange.send(laptop, candidate("1", 0, "of the laptop"));
  exchange.send(laptop, accept("1"));
  exchange.send(laptop, answer("1", 0, "a"));
  EXPECT_EQ(alice.inbox, (Inbox{"accepted", "answer 0 a", "candidate 0 of the laptop"}));
}

TEST(Causality, TheEndOfCandidatesMayComeFirst) {
  Accepted call;
  call.exchange.send(call.alice, candidate("1", 0, ""));
  call.exchange.send(call.alice, candidate("1", 0, "k1"));
  call.exchange.send(call.alice, offer("1", 0, "o"));
  EXPECT_EQ(call.bob.inbox, (Inbox{"offer 0 o", "candidate 0 ", "candidate 0 k1"}));
}

TEST(Causality, DuplicatesAreDropped) {
  Accepted call;
  call.exchange.send(call.alice, candidate("1", 0, "k1"));
  call.exchange.send(call.alice, candidate("1", 0, "k1"));
  call.exchange.send(call.alice, offer("1", 0, "o"));
  call.exchange.send(call.alice, candidate("1", 0, "k1"));
  call.exchange.send(call.alice, candidate("1", 0, "k2"));
  call.exchange.send(call.alice, candidate("1", 0, "k2"));
  EXPECT_EQ(call.bob.inbox, (Inbox{"offer 0 o", "candidate 0 k1", "candidate 0 k2"}));
  EXPECT_EQ(call.alice.inbox, Inbox{});
}

TEST(Causality, CandidatesOfTheNextGenerationWaitForItsOffer) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.bob, candidate("1", 1, "k1"));
  call.exchange.send(call.bob, candidate("1", 0, "k0"));
  EXPECT_EQ(call.alice.take(), Inbox{"candidate 0 k0"});
  call.exchange.send(call.bob, offer("1", 1, "o1"));
  call.exchange.send(call.bob, candidate("1", 0, "stale"));
  call.exchange.send(call.bob, candidate("1", 1, "k2"));
  EXPECT_EQ(call.alice.inbox, (Inbox{"offer 1 o1", "candidate 1 k1", "candidate 1 k2"}));
  call.exchange.send(call.alice, candidate("1", 1, "k3"));
  call.exchange.send(call.alice, answer("1", 1, "a1"));
  EXPECT_EQ(call.bob.inbox, (Inbox{"answer 1 a1", "candidate 1 k3"}));
}

TEST(Causality, OfTwoOffersAtOnceOneWins) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.alice, candidate("1", 1, "of the offer that loses"));
  call.exchange.send(call.bob, offer("1", 1, "bob's"));
  call.exchange.send(call.alice, offer("1", 1, "alice's"));
  call.exchange.send(call.alice, answer("1", 1, "a1"));
  EXPECT_EQ(call.alice.inbox, (Inbox{"offer 1 bob's", "error stale_generation"}));
  EXPECT_EQ(call.bob.inbox, Inbox{"answer 1 a1"});
}

TEST(Causality, ACandidateOfALostOfferIsKnownByItsUfrag) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.bob, offer("1", 1, "bob's"));
  call.exchange.send(call.alice, offer("1", 1, "alice's"));
  call.exchange.send(call.alice, candidate("1", 1, "lost", "LOST"));
  call.exchange.send(call.alice, candidate("1", 1, "", "LOST"));
  call.exchange.send(call.alice, answer("1", 1, "v=0\\r\\na=ice-ufrag:GOOD\\r\\n"));
  (void)call.bob.take();
  call.exchange.send(call.alice, candidate("1", 1, "lost too", "LOST"));
  call.exchange.send(call.alice, candidate("1", 1, "good", "GOOD"));
  call.exchange.send(call.alice, candidate("1", 1, "nameless"));
  call.exchange.send(call.alice, candidate("1", 1, "", "GOOD"));
  EXPECT_EQ(call.bob.inbox, (Inbox{"candidate 1 good", "candidate 1 nameless", "candidate 1 "}));
}

TEST(Causality, TheEndOfALostOfferIsNotThatOfTheAnswer) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.bob, offer("1", 1, "bob's"));
  call.exchange.send(call.alice, offer("1", 1, "alice's"));
  call.exchange.send(call.alice, candidate("1", 1, ""));
  call.exchange.send(call.alice, answer("1", 1, "a1"));
  EXPECT_EQ(call.bob.take(), Inbox{"answer 1 a1"});
  call.exchange.send(call.alice, candidate("1", 1, "k"));
  call.exchange.send(call.alice, candidate("1", 1, ""));
  EXPECT_EQ(call.bob.take(), (Inbox{"candidate 1 k", "candidate 1 "}));
}

TEST(Causality, TheEndOfARefusedOfferIsNotThatOfALaterAnswer) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& phone = exchange.add("bob");
  Device& laptop = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o0"));
  exchange.send(phone, answer("1", 0, "phone"));
  exchange.send(laptop, accept("1"));
  (void)laptop.take();
  exchange.send(laptop, offer("1", 1, "too soon"));
  exchange.send(laptop, candidate("1", 1, ""));
  exchange.send(alice, fresh_offer("1", 1, "o1"));
  EXPECT_EQ(laptop.take(), (Inbox{"error wrong_state", "fresh offer 1 o1"}));
  (void)alice.take();
  exchange.send(laptop, answer("1", 1, "a1"));
  exchange.send(laptop, candidate("1", 1, "k"));
  exchange.send(laptop, candidate("1", 1, ""));
  EXPECT_EQ(alice.take(), (Inbox{"answer 1 a1", "candidate 1 k", "candidate 1 "}));
}

TEST(Causality, NoEndOfSeveralRefusedOffersIsThatOfTheAnswer) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.bob, offer("1", 1, "bob's"));
  call.exchange.send(call.alice, offer("1", 1, "alice's"));
  call.exchange.send(call.alice, offer("1", 3, "alice's next"));
  call.exchange.send(call.alice, candidate("1", 1, ""));
  call.exchange.send(call.alice, answer("1", 1, "a1"));
  EXPECT_EQ(call.bob.take(), Inbox{"answer 1 a1"});
  call.exchange.send(call.alice, candidate("1", 1, ""));
  EXPECT_EQ(call.bob.take(), Inbox{"candidate 1 "});
  call.exchange.send(call.alice, offer("1", 2, "o2"));
  EXPECT_EQ(call.bob.take(), Inbox{"offer 2 o2"});
}

// Two of alice's restarts are on their way when bob's comes first: the number of the second one would fit.
TEST(Causality, NoOfferPassesThatWasMadeBeforeTheOtherSidesWasHeard) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.bob, offer("1", 1, "bob's"));
  call.exchange.send(call.alice, offer("1", 1, "alice's"));
  call.exchange.send(call.alice, offer("1", 2, "alice's next"));
  EXPECT_EQ(call.alice.take(), (Inbox{"offer 1 bob's", "error stale_generation", "error stale_generation"}));
  call.exchange.send(call.alice, answer("1", 1, "a1"));
  EXPECT_EQ(call.bob.take(), Inbox{"answer 1 a1"});
  // The number of an offer that was refused is not used again.
  call.exchange.send(call.alice, offer("1", 3, "o3"));
  EXPECT_EQ(call.bob.take(), Inbox{"offer 3 o3"});
  call.exchange.send(call.bob, answer("1", 3, "a3"));
  EXPECT_EQ(call.alice.take(), Inbox{"answer 3 a3"});
  call.exchange.send(call.bob, offer("1", 4, "o4"));
  EXPECT_EQ(call.alice.take(), Inbox{"offer 4 o4"});
  call.exchange.check();
}

// The device that was connected has offered, and another one wins: nobody waits for the answer to that offer.
TEST(Causality, AnOfferOfADeviceThatHasNotWonBarsNothing) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& phone = exchange.add("bob");
  Device& laptop = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o0"));
  exchange.send(phone, answer("1", 0, "phone"));
  exchange.send(phone, offer("1", 1, "phone's"));
  exchange.send(laptop, accept("1"));
  (void)alice.take();
  (void)laptop.take();
  exchange.send(alice, offer("1", 2, "on its way when laptop won"));
  EXPECT_EQ(alice.take(), Inbox{});
  EXPECT_EQ(laptop.take(), Inbox{});
  exchange.send(alice, fresh_offer("1", 3, "o3"));
  EXPECT_EQ(laptop.take(), Inbox{"fresh offer 3 o3"});
  exchange.check();
}

TEST(Causality, CandidatesOfRefusedOffersAreNoErrorWhateverTheirNumber) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.bob, offer("1", 1, "bob's"));
  call.exchange.send(call.alice, offer("1", 2, "alice's"));
  call.exchange.send(call.alice, offer("1", 3, "alice's next"));
  (void)call.alice.take();
  call.exchange.send(call.alice, candidate("1", 3, "of the last"));
  EXPECT_EQ(call.alice.take(), Inbox{});
  call.exchange.send(call.alice, candidate("1", 4, "of none"));
  EXPECT_EQ(call.alice.take(), Inbox{"error stale_generation"});
  EXPECT_EQ(call.bob.take(), Inbox{});
}

TEST(Causality, NumbersMayBeLeftOutButNotTooMany) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.alice, offer("1", 1001, "too far"));
  EXPECT_EQ(call.alice.take(), Inbox{"error stale_generation"});
  call.exchange.send(call.alice, offer("1", 1000, "as far as may be"));
  EXPECT_EQ(call.bob.take(), Inbox{"offer 1000 as far as may be"});
  call.exchange.check();
}

TEST(Causality, OnesOwnOfferMayBeReplacedBeforeItIsAnswered) {
  Accepted call;
  call.negotiate();
  call.exchange.send(call.bob, offer("1", 1, "o1"));
  call.exchange.send(call.bob, offer("1", 2, "o2"));
  call.exchange.send(call.alice, answer("1", 1, "to the older one"));
  call.exchange.send(call.alice, answer("1", 2, "a2"));
  EXPECT_EQ(call.alice.take(), (Inbox{"offer 1 o1", "offer 2 o2", "error stale_generation"}));
  EXPECT_EQ(call.bob.take(), Inbox{"answer 2 a2"});
}

// Whatever was before it, a new connection is what both take; of two the later one.
TEST(Causality, AFreshOfferPassesBeforeTheOtherSidesIsAnswered) {
  for (const bool is_fresh : {false, true}) {
    Accepted call;
    call.negotiate();
    call.exchange.send(call.bob, is_fresh ? fresh_offer("1", 1, "bob's") : offer("1", 1, "bob's"));
    call.exchange.send(call.alice, fresh_offer("1", 1, "alice's"));
    EXPECT_EQ(call.alice.take(),
              (Inbox{is_fresh ? "fresh offer 1 bob's" : "offer 1 bob's", "error stale_generation"}));
    call.exchange.send(call.alice, fresh_offer("1", 2, "alice's next"));
    EXPECT_EQ(call.bob.take(), Inbox{"fresh offer 2 alice's next"});
    call.exchange.send(call.alice, answer("1", 1, "of the connection before"));
    EXPECT_EQ(call.alice.take(), Inbox{"error stale_generation"});
    call.exchange.send(call.bob, answer("1", 2, "b2"));
    EXPECT_EQ(call.alice.take(), Inbox{"answer 2 b2"});
    call.exchange.check();
  }
}

TEST(Causality, GenerationsThatDoNotFitAreRefused) {
  Accepted call;
  call.exchange.send(call.bob, offer("1", 0, "the first is the caller's"));
  call.exchange.send(call.bob, answer("1", 0, "to no offer"));
  call.exchange.send(call.bob, candidate("1", 1, "too far ahead"));
  EXPECT_EQ(call.bob.take(),
            (Inbox{"error wrong_state", "error stale_generation", "error stale_generation"}));
  call.exchange.send(call.alice, offer("1", 1, "not the next"));
  call.exchange.send(call.alice, offer("1", 0, "o"));
  call.exchange.send(call.alice, offer("1", 0, "again"));
  call.exchange.send(call.alice, answer("1", 0, "to my own"));
  EXPECT_EQ(call.alice.take(),
            (Inbox{"error stale_generation", "error stale_generation", "error wrong_state"}));
  EXPECT_EQ(call.bob.take(), Inbox{"offer 0 o"});
  call.exchange.send(call.bob, answer("1", 0, "a"));
  call.exchange.send(call.bob, answer("1", 0, "again"));
  EXPECT_EQ(call.bob.take(), Inbox{"error wrong_state"});
}

TEST(Causality, AHundredCandidatesAGenerationAndNoMore) {
  Accepted call;
  for (int i = 0; i < 101; ++i) call.exchange.send(call.alice, candidate("1", 0, "k" + std::to_string(i)));
  EXPECT_EQ(call.alice.take(), Inbox{"error too_many_candidates"});
  call.exchange.check();
  call.exchange.send(call.alice, offer("1", 0, "o"));
  EXPECT_EQ(call.bob.inbox.size(), 101U);
  call.exchange.send(call.alice, candidate("1", 0, "one more"));
  EXPECT_EQ(call.alice.inbox, Inbox{"error too_many_candidates"});
  call.exchange.send(call.alice, candidate("1", 1, "of the next"));
  EXPECT_EQ(call.alice.inbox.size(), 1U);
}

TEST(Causality, UfragsAreReadFromEveryKindOfLineEnd) {
  EXPECT_EQ(ice_ufrags("v=0\r\na=ice-ufrag:a\r\nm=audio\r\na=ice-ufrag:b\r\na=ice-ufrag:a"),
            (Inbox{"a", "b"}));
  EXPECT_EQ(ice_ufrags("a=ice-ufrag:x\na=ice-pwd:y\n"), Inbox{"x"});
  EXPECT_EQ(ice_ufrags(""), Inbox{});
  std::string many;
  for (int i = 0; i < 100; ++i) many += "a=ice-ufrag:" + std::to_string(i) + "\n";
  EXPECT_EQ(ice_ufrags(many), Inbox{});
}

// One call in the worst orders, with a restart by the callee. `pause` lets acknowledgements be sent.
struct Script {
  static void run(Exchange& exchange, Device& alice, Device& bob) {
    const auto pause = [&exchange] { exchange.advance(milliseconds(60)); };
    exchange.send(alice, dial("1", "bob"));
    exchange.send(alice, candidate("1", 0, "a1"));
    pause();
    exchange.send(alice, candidate("1", 0, ""));
    exchange.send(alice, offer("1", 0, "o0"));
    exchange.send(bob, ringing("1"));
    exchange.send(alice, candidate("1", 0, "a2"));
    pause();
    exchange.send(bob, candidate("1", 0, "b1"));
    exchange.send(bob, accept("1"));
    exchange.acknowledge(bob);
    exchange.send(bob, answer("1", 0, "a0"));
    exchange.send(bob, candidate("1", 0, "b2"));
    pause();
    exchange.send(alice, connected("1"));
    exchange.send(bob, connected("1"));
    exchange.send(bob, candidate("1", 1, "b3"));
    exchange.send(bob, offer("1", 1, "o1"));
    exchange.acknowledge(alice);
    pause();
    exchange.send(alice, candidate("1", 1, "a3"));
    exchange.send(alice, answer("1", 1, "a1"));
    exchange.send(alice, candidate("1", 0, "stale"));
    exchange.send(bob, candidate("1", 1, "b4"));
    pause();
    exchange.send(bob, hangup("1"));
    pause();
  }
};

// What each party must see, in this order; `ringing` and `accepted` do not depend on descriptions and are
// here as well.
const Inbox kAliceSees = {"ringing",        "accepted",       "answer 0 a0",
                          "candidate 0 b1", "candidate 0 b2", "offer 1 o1",
                          "candidate 1 b3", "candidate 1 b4", "ended hangup"};
const Inbox kBobSees = {"incoming alice", "offer 0 o0",  "candidate 0 a1", "candidate 0 ",
                        "candidate 0 a2", "answer 1 a1", "candidate 1 a3", "ended hangup"};

TEST(Causality, TheScriptUncut) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  Script::run(exchange, alice, bob);
  EXPECT_EQ(alice.inbox, kAliceSees);
  EXPECT_EQ(bob.inbox, kBobSees);
  EXPECT_GT(alice.frames_seen, 20U);
  EXPECT_GT(bob.frames_seen, 20U);
}

// The connection of one party, or of both, is cut at each frame in either direction, so that this frame is
// lost.
TEST(Causality, NothingIsLostOrDoubledWhereverTheConnectionIsCut) {
  constexpr std::size_t kFrames = 45;  // more than either party sees, so that "never" is among the cases
  for (std::size_t alice_cut = 0; alice_cut < kFrames; ++alice_cut) {
    for (std::size_t bob_cut = 0; bob_cut < kFrames; ++bob_cut) {
      Exchange exchange;
      exchange.resume_at_once = true;
      Device& alice = exchange.add("alice");
      Device& bob = exchange.add("bob");
      alice.cut_after = alice_cut;
      bob.cut_after = bob_cut;
      Script::run(exchange, alice, bob);
      ASSERT_EQ(alice.inbox, kAliceSees) << alice_cut << " " << bob_cut;
      ASSERT_EQ(bob.inbox, kBobSees) << alice_cut << " " << bob_cut;
      ASSERT_FALSE(exchange.server.broken_invariant());
    }
  }
}

// The same with a warm path: bob answers while he rings, host candidates are withheld, and alice repairs.
struct WarmScript {
  static void run(Exchange& exchange, Device& alice, Device& bob) {
    const auto pause = [&exchange] { exchange.advance(milliseconds(60)); };
    exchange.send(alice, dial("1", "bob"));
    exchange.send(alice, candidate("1", 0, kHost));
    exchange.send(alice, offer("1", 0, "v=0\\na=" + kHost + " generation 0\\n"));
    exchange.send(alice, candidate("1", 0, kRelay));
    pause();
    exchange.send(bob, ringing("1"));
    exchange.send(bob, answer("1", 0, "a0"));
    exchange.send(bob, candidate("1", 0, kHost));
    exchange.send(bob, candidate("1", 0, kRelay));
    pause();
    exchange.send(alice, offer("1", 1, "o1"));
    exchange.send(alice, candidate("1", 1, kHost));
    exchange.send(bob, answer("1", 1, "a1"));
    exchange.send(bob, candidate("1", 1, kRelay));
    exchange.send(bob, candidate("1", 1, kHost));
    exchange.send(bob, candidate("1", 1, ""));
    pause();
    exchange.send(bob, accept("1"));
    exchange.send(alice, candidate("1", 1, "last of alice"));
    pause();
    exchange.send(alice, hangup("1"));
    pause();
  }
  static inline const std::string kHost = "candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host";
  static inline const std::string kRelay =
      "candidate:4 1 udp 41885439 203.0.113.5 50000 typ relay raddr 0.0.0.0 rport 0";
};

TEST(Causality, WhatIsWithheldIsNeitherLostNorDoubledWhereverTheConnectionIsCut) {
  const std::string host = WarmScript::kHost;
  const std::string relay = WarmScript::kRelay;
  const Inbox alice_sees = {
      "ringing",  "answer 0 a0",         "candidate 0 " + relay, "answer 1 a1", "candidate 1 " + relay,
      "accepted", "candidate 1 " + host, "candidate 1 ",         "ended hangup"};
  const Inbox bob_sees = {"incoming alice", "offer 0 v=0\n",       "candidate 0 " + relay,
                          "offer 1 o1",     "candidate 1 " + host, "candidate 1 last of alice",
                          "ended hangup"};
  constexpr std::size_t kFrames = 40;
  for (std::size_t alice_cut = 0; alice_cut < kFrames; ++alice_cut) {
    for (std::size_t bob_cut = 0; bob_cut < kFrames; ++bob_cut) {
      Exchange exchange;
      exchange.resume_at_once = true;
      Device& alice = exchange.add("alice", WarmPath::relay);
      Device& bob = exchange.add("bob", WarmPath::relay);
      alice.cut_after = alice_cut;
      bob.cut_after = bob_cut;
      WarmScript::run(exchange, alice, bob);
      ASSERT_EQ(alice.inbox, alice_sees) << alice_cut << " " << bob_cut;
      ASSERT_EQ(bob.inbox, bob_sees) << alice_cut << " " << bob_cut;
      ASSERT_FALSE(exchange.server.broken_invariant());
    }
  }
}

// "candidate 1 k" needs "offer 1 …" or "answer 1 …" before it; nothing but an error may come twice.
void expect_in_order(const Inbox& inbox) {
  for (std::size_t i = 0; i < inbox.size(); ++i) {
    if (inbox[i].rfind("error ", 0) == 0) continue;
    const auto before = inbox.begin() + static_cast<std::ptrdiff_t>(i);
    EXPECT_EQ(std::find(inbox.begin(), before, inbox[i]), before) << inbox[i] << " came twice";
    if (inbox[i].rfind("candidate ", 0) != 0) continue;
    const std::string generation = inbox[i].substr(10, 2);
    EXPECT_TRUE(std::any_of(inbox.begin(), before,
                            [&generation](const std::string& earlier) {
                              return earlier.rfind("offer " + generation, 0) == 0 ||
                                     earlier.rfind("answer " + generation, 0) == 0;
                            }))
        << inbox[i] << " came before its description";
  }
}

// A party stays away for 20 seconds. What it does meanwhile reaches the server only when it is back, so the
// script is played out of order, and some of it is refused; the rule holds all the same.
TEST(Causality, TheRuleHoldsOverAnAbsenceOf20Seconds) {
  std::size_t absences = 0;
  for (std::size_t cut = 0; cut < 45; ++cut) {
    for (const bool cuts_alice : {true, false}) {
      SCOPED_TRACE(cut);
      Exchange exchange;
      Device& alice = exchange.add("alice");
      Device& bob = exchange.add("bob");
      Device& away = cuts_alice ? alice : bob;
      away.cut_after = cut;
      Script::run(exchange, alice, bob);
      if (away.connection) continue;
      absences += 1;
      exchange.advance_alive(seconds(20));
      exchange.connect(away);
      EXPECT_TRUE(away.resumed);
      exchange.advance_alive(seconds(1));
      expect_in_order(alice.inbox);
      expect_in_order(bob.inbox);
      EXPECT_TRUE(away.unacknowledged.empty());
      ASSERT_FALSE(exchange.server.broken_invariant());
    }
  }
  EXPECT_GT(absences, 40U);
}

}  // namespace
}  // namespace offhook::call
