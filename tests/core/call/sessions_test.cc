// Sessions through the server: numbers, acknowledgement, replay, limits, times.

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

std::string numbered(std::uint64_t seq, const std::string& members) {
  return "{\"seq\":" + std::to_string(seq) + "," + members + "}";
}

TEST(Sessions, HelloIsAnsweredWithWelcome) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  ASSERT_EQ(alice.frames.size(), 1U);
  const auto document = json::parse(alice.frames[0], {.max_bytes = 1000});
  ASSERT_TRUE(document);
  json::Fields welcome(document->root());
  EXPECT_EQ(welcome.string("type", {.max = 99}), "welcome");
  EXPECT_EQ(welcome.string("session", {.max = 99}).substr(0, 2), "s_");
  EXPECT_EQ(welcome.string("session", {.max = 99}).size(), 24U);
  EXPECT_EQ(welcome.string("resume_token", {.max = 99}).size(), 22U);
  EXPECT_FALSE(welcome.boolean("resumed"));
  EXPECT_EQ(welcome.string("user", {.max = 99}), "alice");
  EXPECT_EQ(welcome.integer("ack", 0, 99), 0);
  EXPECT_EQ(welcome.integer("ping_interval_ms", 0, 99999), 10000);
  EXPECT_EQ(welcome.integer("ring_timeout_ms", 0, 99999), 45000);
  EXPECT_TRUE(welcome.ok());
  EXPECT_EQ(exchange.server.session_of(*alice.connection), alice.session);
  exchange.check();
}

TEST(Sessions, PingIsAnsweredAtOnce) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.raw(alice, R"({"type":"ping"})");
  EXPECT_EQ(alice.frames.back(), R"({"type":"pong"})");
  exchange.raw(alice, R"({"type":"pong"})");
  EXPECT_EQ(alice.frames.size(), 2U);
}

TEST(Sessions, AnAcknowledgementWaits50MillisecondsAndNoLonger) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.advance(milliseconds(49));
  EXPECT_EQ(alice.frames.size(), 1U);
  exchange.advance(milliseconds(1));
  EXPECT_EQ(alice.frames.back(), R"({"type":"ack","ack":1})");
  EXPECT_TRUE(alice.unacknowledged.empty());
  exchange.check();
}

TEST(Sessions, SixteenMessagesAreAcknowledgedAtOnce) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  for (int i = 0; i < 14; ++i) exchange.send(alice, candidate("1", 0, "k" + std::to_string(i)));
  EXPECT_EQ(alice.frames.size(), 1U);
  exchange.send(alice, candidate("1", 0, "last"));
  EXPECT_EQ(alice.frames.back(), R"({"type":"ack","ack":16})");
}

TEST(Sessions, AMessageCarriesTheAcknowledgement) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, ringing("9"));
  EXPECT_EQ(alice.inbox, Inbox{"error unknown_call"});
  EXPECT_TRUE(alice.unacknowledged.empty());
  exchange.advance(seconds(1));
  EXPECT_EQ(alice.frames.size(), 2U);  // welcome and error; no ack besides
}

TEST(Sessions, ARepeatedNumberIsDroppedAndAcknowledgedAgain) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.raw(alice, numbered(1, ringing("9")));
  exchange.raw(alice, numbered(1, ringing("9")));
  EXPECT_EQ(alice.inbox.size(), 1U);
  exchange.advance(milliseconds(50));
  EXPECT_EQ(alice.frames.back(), R"({"type":"ack","ack":1})");
}

TEST(Sessions, NumbersAheadWaitForTheGap) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.raw(alice, numbered(3, candidate("1", 0, "k1")));
  exchange.raw(alice, numbered(4, hangup("1")));
  exchange.raw(alice, numbered(2, offer("1", 0, "o")));
  exchange.raw(alice, numbered(3, candidate("1", 0, "k1")));
  EXPECT_TRUE(bob.inbox.empty());
  exchange.raw(alice, numbered(1, dial("1", "bob")));
  EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "offer 0 o", "candidate 0 k1", "ended canceled"}));
  EXPECT_EQ(alice.inbox, Inbox{"ended canceled"});
  exchange.check();
}

TEST(Sessions, SixtyFourAheadAreKeptAndOneMoreEndsIt) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  for (std::uint64_t seq = 2; seq < 66; ++seq) exchange.raw(alice, numbered(seq, ringing("9")));
  EXPECT_TRUE(alice.connection);
  exchange.check();
  exchange.raw(alice, numbered(66, ringing("9")));
  EXPECT_EQ(alice.closes, Inbox{"4400 bad_message: seq is too far ahead of a gap"});
  EXPECT_EQ(exchange.server.counts().sessions, 0U);
}

TEST(Sessions, TooManyBytesAheadEndIt) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  const std::string sdp(60'000, 'o');
  for (std::uint64_t seq = 2; seq < 10; ++seq) exchange.raw(alice, numbered(seq, offer("1", 0, sdp)));
  EXPECT_TRUE(alice.connection);
  exchange.check();
  exchange.raw(alice, numbered(10, offer("1", 0, sdp)));
  EXPECT_EQ(alice.closes, Inbox{"4400 bad_message: seq is too far ahead of a gap"});
}

TEST(Sessions, WhatIsNotAcknowledgedComesAgainAfterResume) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.cut(bob);
  exchange.send(alice, dial("1", "bob"));
  exchange.send(alice, offer("1", 0, "o"));
  exchange.advance_alive(seconds(20));
  exchange.connect(bob);
  EXPECT_TRUE(bob.resumed);
  EXPECT_EQ(bob.inbox, (Inbox{"incoming alice", "offer 0 o"}));
  EXPECT_NE(bob.frames[2].find(R"("age_ms":20000)"), std::string::npos) << bob.frames[2];
  exchange.cut(bob);
  exchange.connect(bob);
  EXPECT_EQ(bob.inbox.size(), 2U);
  EXPECT_EQ(bob.repeated, 0U);  // the hello acknowledged them
  exchange.check();
}

TEST(Sessions, AnAcknowledgedMessageDoesNotComeAgain) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, ringing("9"));
  exchange.acknowledge(alice);
  exchange.send(alice, ringing("8"));
  alice.received = 1;  // the second was lost
  alice.inbox.clear();
  exchange.cut(alice);
  exchange.connect(alice);
  EXPECT_EQ(alice.inbox, Inbox{"error unknown_call"});
}

TEST(Sessions, AResumeReplacesAConnectionThatStillStands) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  const ConnectionId old = *alice.connection;
  exchange.connect(alice);
  EXPECT_TRUE(alice.resumed);
  EXPECT_EQ(exchange.last_close, "4409 replaced");
  Outbox outbox;
  exchange.server.handle_connection_closed(old, exchange.now, outbox);
  exchange.server.handle_frame(old, signal::parse_client_frame(R"({"type":"ping"})"), exchange.now, outbox);
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(exchange.server.counts().connections, 1U);
  exchange.check();
}

TEST(Sessions, AWrongTokenOrAnotherUserResumesNothing) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.cut(alice);
  Device stolen = alice;
  stolen.user = "mallory";
  exchange.devices.push_back(stolen);
  exchange.connect(exchange.devices.back());
  EXPECT_FALSE(exchange.devices.back().resumed);
  EXPECT_NE(exchange.devices.back().session, alice.session);

  Device guess = alice;
  guess.resume_token[0] = guess.resume_token[0] == 'A' ? 'B' : 'A';
  exchange.devices.push_back(guess);
  exchange.connect(exchange.devices.back());
  EXPECT_FALSE(exchange.devices.back().resumed);

  exchange.connect(alice);
  EXPECT_TRUE(alice.resumed);
  exchange.check();
}

TEST(Sessions, AResumeThatAcknowledgesWhatWasNeverSentStartsAnew) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, ringing("9"));
  exchange.acknowledge(alice);
  const std::string before = alice.session;
  exchange.cut(alice);
  alice.received = 99;
  exchange.connect(alice);
  EXPECT_FALSE(alice.resumed);
  EXPECT_NE(alice.session, before);
  EXPECT_EQ(exchange.server.counts().sessions, 1U);
  exchange.check();
}

// Says hello for alice's session over a connection of its own. How the server closed it, or "".
std::string hello_beside(Exchange& exchange, const Device& alice, std::uint64_t ack, std::uint64_t attempt) {
  constexpr ConnectionId kBeside{1000};
  Outbox outbox;
  exchange.server.handle_hello(kBeside, {.user = alice.user, .warm_path = alice.warm_path},
                               signal::Resume{alice.session, Secret(alice.resume_token), ack, attempt},
                               exchange.now, outbox);
  for (const Effect& effect : outbox) {
    const auto* close = std::get_if<CloseConnection>(&effect);
    if (close != nullptr && close->connection == kBeside)
      return std::to_string(close->code) + " " + close->reason;
  }
  return "";
}

TEST(Sessions, ALateHelloWithAnOlderAckLeavesTheSessionAlone) {
  for (const bool is_connected : {true, false}) {
    Exchange exchange;
    Device& alice = exchange.add("alice");
    exchange.send(alice, ringing("9"));
    exchange.send(alice, ringing("8"));
    exchange.acknowledge(alice);
    if (!is_connected) exchange.cut(alice);
    EXPECT_EQ(hello_beside(exchange, alice, 1, 0), "4409 replaced");
    EXPECT_EQ(exchange.server.counts().sessions, 1U);
    EXPECT_EQ(exchange.server.counts().connections, is_connected ? 1U : 0U);
    EXPECT_EQ(alice.closes, Inbox{});
    exchange.connect(alice);
    EXPECT_TRUE(alice.resumed);
    exchange.check();
  }
}

TEST(Sessions, AHelloThatANewerOneHasOutrunTakesNothingOver) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  alice.attempt = 7;
  exchange.connect(alice);
  EXPECT_TRUE(alice.resumed);
  for (const std::uint64_t attempt : {std::uint64_t{6}, std::uint64_t{7}})
    EXPECT_EQ(hello_beside(exchange, alice, alice.received, attempt), "4409 replaced") << attempt;
  EXPECT_EQ(hello_beside(exchange, alice, 99, 6), "4409 replaced") << "whatever it acknowledges";
  EXPECT_EQ(exchange.server.counts().connections, 1U);
  exchange.send(alice, ringing("9"));
  EXPECT_EQ(alice.inbox, Inbox{"error unknown_call"}) << "its connection stands";
  exchange.acknowledge(alice);
  alice.attempt = 8;
  exchange.connect(alice);
  EXPECT_TRUE(alice.resumed);
  // Who does not count takes over as ever, and undoes no count.
  alice.attempt = 0;
  exchange.connect(alice);
  EXPECT_TRUE(alice.resumed);
  EXPECT_EQ(hello_beside(exchange, alice, alice.received, 8), "4409 replaced");
  EXPECT_EQ(hello_beside(exchange, alice, alice.received, 9), "");
  exchange.check();
}

TEST(Sessions, ASessionIsKept30SecondsWithoutAConnection) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.cut(alice);
  exchange.advance(milliseconds(29'999));
  EXPECT_EQ(exchange.server.counts().sessions, 1U);
  exchange.advance(milliseconds(1));
  EXPECT_EQ(exchange.server.counts().sessions, 0U);
  exchange.connect(alice);
  EXPECT_FALSE(alice.resumed);
  exchange.check();
}

TEST(Sessions, ASilentConnectionIsGivenUpAfter25Seconds) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.advance(seconds(20));
  exchange.raw(alice, R"({"type":"ping"})");
  exchange.advance(milliseconds(24'999));
  EXPECT_TRUE(alice.connection);
  exchange.advance(milliseconds(1));
  EXPECT_EQ(alice.closes, Inbox{"4408 timeout"});
  exchange.connect(alice);
  EXPECT_TRUE(alice.resumed);
}

TEST(Sessions, ByeEndsTheSessionAtOnce) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, R"("type":"bye")");
  EXPECT_EQ(alice.closes, Inbox{"1000 bye"});
  EXPECT_EQ(exchange.server.counts().sessions, 0U);
  EXPECT_EQ(exchange.server.next_deadline(), kNever);
}

TEST(Sessions, NothingAfterByeIsProcessed) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.raw(alice, numbered(2, dial("1", "bob")));
  exchange.raw(alice, numbered(1, R"("type":"bye")"));
  EXPECT_EQ(exchange.server.counts().calls, 0U);
}

TEST(Sessions, AFrameWithoutAPlaceInTheOrderEndsIt) {
  const std::pair<std::string, std::string> cases[] = {
      {"{", "4400 bad_message: the frame is not JSON at byte 1"},
      {R"({"type":"ringing"})", "4400 bad_message: seq is missing"},
      {R"({"type":"hello","version":1,"token":"t"})", "4400 bad_message: hello comes once"},
      {R"({"type":"ack","ack":1})", "4400 bad_message: ack is ahead of what was sent"},
  };
  for (const auto& [text, close] : cases) {
    Exchange exchange;
    Device& alice = exchange.add("alice");
    exchange.raw(alice, text);
    EXPECT_EQ(alice.closes, Inbox{close});
    EXPECT_EQ(exchange.server.counts().sessions, 0U);
  }
}

TEST(Sessions, AMessageThatBreaksARuleIsAnsweredAndTheSessionLivesOn) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  exchange.send(alice, R"("type":"dance")");
  exchange.send(alice, about("dial", "1"));
  EXPECT_EQ(alice.inbox, (Inbox{"error unknown_type", "error bad_message"}));
  EXPECT_NE(alice.frames.back().find(R"("message":"to is missing")"), std::string::npos)
      << alice.frames.back();
  EXPECT_NE(alice.frames.back().find(R"("ref":2)"), std::string::npos);
  EXPECT_NE(alice.frames.back().find(R"("call":"c_1xxx)"), std::string::npos);
  EXPECT_TRUE(alice.connection);
}

TEST(Sessions, AQueueOfTooManyMessagesEndsTheSession) {
  Settings settings;
  settings.max_queued_messages = 5;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  for (int i = 0; i < 5; ++i) exchange.raw(alice, numbered(static_cast<std::uint64_t>(i) + 1, ringing("9")));
  EXPECT_TRUE(alice.connection);
  exchange.raw(alice, numbered(6, ringing("9")));
  EXPECT_EQ(alice.closes, Inbox{"4429 queue_overflow"});
  EXPECT_EQ(exchange.server.counts().sessions, 0U);
  exchange.check();
}

TEST(Sessions, AQueueOfTooManyBytesEndsTheSessionAndItsCalls) {
  Settings settings;
  settings.max_queued_bytes = 4000;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.send(bob, accept("1"));
  exchange.cut(bob);
  for (int generation = 0; exchange.server.counts().calls > 0 && generation < 10; ++generation) {
    exchange.send(alice, offer("1", generation, std::string(1000, 'o')));
    exchange.check();
  }
  EXPECT_EQ(alice.inbox, (Inbox{"accepted", "ended signaling_lost"}));
  EXPECT_EQ(exchange.server.counts().sessions, 1U);
}

TEST(Sessions, AUserHasSoManySessions) {
  Exchange exchange;
  for (int i = 0; i < 16; ++i) exchange.add("alice");
  Device& refused = exchange.add("alice");
  EXPECT_EQ(refused.closes, Inbox{"4429 too_many_sessions"});
  EXPECT_TRUE(exchange.add("bob").closes.empty());
  // A page that was closed without a word makes room.
  exchange.cut(exchange.devices[3]);
  EXPECT_TRUE(exchange.add("alice").closes.empty());
  EXPECT_EQ(exchange.server.counts().sessions, 17U);
  exchange.check();
}

TEST(Sessions, ASessionInACallMakesNoRoom) {
  Settings settings;
  settings.max_sessions_per_user = 1;
  Exchange exchange(settings);
  Device& alice = exchange.add("alice");
  exchange.send(alice, dial("1", "bob"));
  exchange.cut(alice);
  EXPECT_EQ(exchange.add("alice").closes, Inbox{"4429 too_many_sessions"});
  exchange.connect(alice);
  EXPECT_TRUE(alice.resumed);
}

TEST(Sessions, TheServerHasSoManySessions) {
  Settings settings;
  settings.max_sessions = 2;
  Exchange exchange(settings);
  exchange.add("alice");
  exchange.add("bob");
  EXPECT_EQ(exchange.add("carol").closes, Inbox{"4429 too_many_sessions"});
  exchange.check();
}

TEST(Sessions, ShutdownEndsEverything) {
  Exchange exchange;
  Device& alice = exchange.add("alice");
  Device& bob = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  exchange.cut(bob);
  exchange.shutdown();
  EXPECT_EQ(alice.inbox, Inbox{"ended server_shutdown"});
  EXPECT_EQ(alice.closes, Inbox{"1001 server_shutdown"});
  EXPECT_EQ(exchange.server.counts().sessions, 0U);
  EXPECT_EQ(exchange.server.counts().calls, 0U);
  EXPECT_EQ(exchange.server.next_deadline(), kNever);
  exchange.check();
}

}  // namespace
}  // namespace offhook::call
