#include "service/signal/signal_service.h"

#include <gtest/gtest.h>

#include <optional>

#include "crypto/secure_random.h"
#include "io/http/running_server.h"
#include "service/signal/signal_client.h"

namespace offhook::service {
namespace {

using namespace offhook::testing;
using std::chrono::seconds;

const Secret kSecret(std::string(32, 's'));
const std::string kCall = "c_0123456789abcdefghijkl";
const std::string kMedia = R"("media":{"audio":true,"video":true})";

std::string token(std::string_view user) {
  return credentials::mint_token(kSecret, user, seconds(60), io::ControlLoop::now().wall);
}

std::string of(std::string_view type) {
  return R"("type":")" + std::string(type) + R"(","call":")" + kCall + '"';
}

std::string candidate(std::string_view line) {
  return of("ice-candidate") + R"(,"generation":0,"candidate":{"candidate":")" + std::string(line) +
         R"(","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"u"})";
}

class Signalling : public ::testing::Test {
 protected:
  // Nothing is withheld here; tests/service/signal/warm_path_test.cc is about that.
  void start(SignalSettings settings = {}) {
    settings.warm_path = WarmPath::direct;
    service_.emplace(running_.loop(), running_.server(), std::move(settings), verifier_, random_,
                     std::move(hooks_));
    running_.start();
  }
  void TearDown() override {
    running_.stop();
    service_.reset();
  }
  SignalClient connect() { return SignalClient(running_.address()); }
  SignalClient sign_in(std::string_view user) {
    SignalClient client = connect();
    const Received welcome = client.hello(token(user));
    EXPECT_EQ(welcome.type(), "welcome") << welcome.text;
    return client;
  }
  SignalCounters counters() {
    return running_.on_loop([this] { return service_->counters(); });
  }
  // Dials, rings; the callee has the call then.
  void dial(SignalClient& caller, SignalClient& callee) {
    caller.say(of("dial") + R"(,"to":"bob",)" + kMedia);
    const Received incoming = callee.next("incoming");
    EXPECT_EQ(incoming.member("call"), kCall);
    EXPECT_EQ(incoming.member("from"), "alice");
    callee.say(of("ringing"));
    EXPECT_EQ(caller.next("ringing").member("call"), kCall);
  }

  SignalHooks hooks_;  // set before start()
  crypto::SecureRandom random_;
  credentials::TokenVerifier verifier_{{{"", *crypto::VerificationKey::symmetric(kSecret)}}, {}};
  RunningServer running_;
  std::optional<SignalService> service_;
};

TEST_F(Signalling, WelcomesAVerifiedUser) {
  start();
  SignalClient client = connect();
  const Received welcome = client.hello(token("J\xC3\xB6rg"));
  EXPECT_EQ(welcome.type(), "welcome");
  EXPECT_EQ(welcome.member("user"), "J\xC3\xB6rg");
  EXPECT_EQ(welcome.member("resumed"), "false");
  EXPECT_EQ(welcome.member("ping_interval_ms"), "10000");
  EXPECT_EQ(welcome.member("ring_timeout_ms"), "45000");
  client.socket().send_text(R"({"type":"ping"})");
  EXPECT_EQ(Received{client.socket().read_text()}.type(), "pong");
}

TEST_F(Signalling, ClosesOnABadTokenAndSaysWhy) {
  start();
  SignalClient expired = connect();
  expired.socket().send_text(R"({"type":"hello","version":1,"token":")" +
                             credentials::mint_token(kSecret, "alice", seconds(1), UnixTime{1}) + "\"}");
  const CloseFrame late = expired.socket().read_close();
  EXPECT_EQ(late.code, 4401);
  EXPECT_EQ(late.reason, "token_expired: the token's time (exp) is over");
  SignalClient forged = connect();
  forged.socket().send_text(R"({"type":"hello","version":1,"token":")" + token("alice") + "x\"}");
  const CloseFrame wrong = forged.socket().read_close();
  EXPECT_EQ(wrong.code, 4401);
  EXPECT_TRUE(wrong.reason.starts_with("token_invalid: ")) << wrong.reason;
  SignalClient nobody = connect();
  nobody.socket().send_text(R"({"type":"hello","version":1,"token":")" + token("a\nb") + "\"}");
  EXPECT_EQ(nobody.socket().read_close().code, 4401);
  EXPECT_EQ(counters().tokens_refused, 3U);
  EXPECT_EQ(counters().live.connections, 0U);
}

TEST_F(Signalling, ClosesOnAFirstFrameThatIsNoHello) {
  start();
  for (const std::string& text : std::vector<std::string>{"{\"type\":\"ping\"}", "nonsense", "{}",
                                                          "{\"type\":\"hello\",\"version\":1}"}) {
    SignalClient client = connect();
    client.socket().send_text(text);
    const CloseFrame close = client.socket().read_close();
    EXPECT_EQ(close.code, 4400) << text;
    EXPECT_TRUE(close.reason.starts_with("bad_message")) << close.reason;
  }
}

TEST_F(Signalling, ClosesAConnectionThatSaysNothing) {
  SignalSettings settings;
  settings.hello_timeout = std::chrono::milliseconds(50);
  start(settings);
  SignalClient client = connect();
  const CloseFrame close = client.socket().read_close();
  EXPECT_EQ(close.code, 4408);
  EXPECT_EQ(close.reason, "timeout");
  EXPECT_EQ(counters().hello_timeouts, 1U);
}

TEST_F(Signalling, ClosesAConnectionThatFellSilent) {
  SignalSettings settings;
  settings.call.silence_timeout = std::chrono::milliseconds(50);
  start(settings);
  SignalClient client = sign_in("alice");
  EXPECT_EQ(client.socket().read_close().code, 4408);
}

TEST_F(Signalling, TwoUsersCallAndHangUp) {
  start();
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  alice.say(of("dial") + R"(,"to":"bob",)" + kMedia);
  alice.say(candidate("candidate:early"));  // before its description: held
  alice.say(of("offer") + R"(,"generation":0,"sdp":"v=0 offer")");
  EXPECT_EQ(bob.next().type(), "incoming");
  const Received offer = bob.next();
  EXPECT_EQ(offer.type(), "offer");
  EXPECT_EQ(offer.member("sdp"), "v=0 offer");
  EXPECT_EQ(offer.member("from"), "alice");
  EXPECT_EQ(bob.next().type(), "ice-candidate");
  bob.say(of("ringing"));
  EXPECT_EQ(alice.next().type(), "ringing");
  bob.say(of("accept") + "," + kMedia);
  EXPECT_EQ(alice.next().type(), "accepted");
  bob.say(of("answer") + R"(,"generation":0,"sdp":"v=0 answer")");
  EXPECT_EQ(alice.next("answer").member("sdp"), "v=0 answer");
  alice.say(of("connected") + R"(,"time_to_connect_ms":120)");
  bob.say(of("connected"));
  bob.say(of("hangup"));
  const Received ended = alice.next("ended");
  EXPECT_EQ(ended.member("reason"), "hangup");
  EXPECT_EQ(ended.member("call"), kCall);
  const SignalCounters counted = counters();
  EXPECT_EQ(counted.calls_ended, 1U);
  EXPECT_EQ(counted.calls_accepted, 1U);
  EXPECT_EQ(counted.calls_connected, 1U);
  EXPECT_EQ(counted.live.calls, 0U);
}

TEST_F(Signalling, ASecondDeviceEndsWithAnsweredElsewhere) {
  start();
  SignalClient alice = sign_in("alice");
  SignalClient desk = sign_in("bob");
  SignalClient pocket = sign_in("bob");
  dial(alice, desk);
  EXPECT_EQ(pocket.next().type(), "incoming");
  desk.say(of("accept") + "," + kMedia);
  EXPECT_EQ(pocket.next("ended").member("reason"), "answered_elsewhere");
  EXPECT_EQ(alice.next("accepted").member("call"), kCall);
}

TEST_F(Signalling, ACutSocketResumesWithEverythingItMissed) {
  start();
  SignalClient alice = sign_in("alice");
  std::optional<SignalClient> bob(connect());
  const Received before = bob->hello(token("bob"));
  dial(alice, *bob);
  const std::uint64_t said = bob->seq();
  bob->socket().cut();
  alice.say(of("offer") + R"(,"generation":0,"sdp":"v=0 offer")");
  alice.say(candidate("candidate:one"));
  bob.reset();
  SignalClient again = connect();
  const Received welcome = again.resume(token("bob"), before, 1, said);
  EXPECT_EQ(welcome.member("resumed"), "true");
  EXPECT_EQ(welcome.member("session"), before.member("session"));
  EXPECT_EQ(welcome.member("ack"), std::to_string(said));
  const Received offer = again.next();
  EXPECT_EQ(offer.type(), "offer");
  EXPECT_EQ(offer.member("seq"), "2");
  EXPECT_EQ(again.next().type(), "ice-candidate");
  again.say(of("accept") + "," + kMedia);
  EXPECT_EQ(alice.next().type(), "accepted");
}

TEST_F(Signalling, AResumeReplacesAConnectionThatStillStands) {
  start();
  SignalClient first = connect();
  const Received before = first.hello(token("alice"));
  SignalClient second = connect();
  EXPECT_EQ(second.resume(token("alice"), before, 0, 0).member("resumed"), "true");
  const CloseFrame close = first.socket().read_close();
  EXPECT_EQ(close.code, 4409);
  EXPECT_EQ(close.reason, "replaced");
}

TEST_F(Signalling, NobodyResumesTheSessionOfAnother) {
  start();
  SignalClient alice = connect();
  const Received before = alice.hello(token("alice"));
  SignalClient mallory = connect();
  const Received welcome = mallory.resume(token("mallory"), before, 0, 0);
  EXPECT_EQ(welcome.member("resumed"), "false");
  EXPECT_NE(welcome.member("session"), before.member("session"));
}

TEST_F(Signalling, ASessionEndsWithItsGraceAndItsCallWithIt) {
  SignalSettings settings;
  settings.call.session_grace = std::chrono::milliseconds(50);
  start(settings);
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  dial(alice, bob);
  bob.say(of("accept") + "," + kMedia);
  EXPECT_EQ(alice.next().type(), "accepted");
  bob.socket().cut();
  EXPECT_EQ(alice.next("ended").member("reason"), "signaling_lost");
}

TEST_F(Signalling, ARefusedMessageNamesItselfAndTheSessionLivesOn) {
  start();
  SignalClient alice = sign_in("alice");
  alice.say(of("accept") + "," + kMedia);
  const Received error = alice.next();
  EXPECT_EQ(error.type(), "error");
  EXPECT_EQ(error.member("ref"), "1");
  EXPECT_EQ(error.member("code"), "unknown_call");
  alice.socket().send_text(R"({"type":"ping"})");
  EXPECT_EQ(Received{alice.socket().read_text()}.type(), "pong");
}

TEST_F(Signalling, ClosesOnAFrameThatHasNoPlaceInTheOrder) {
  start();
  SignalClient alice = sign_in("alice");
  alice.socket().send_text(R"({"type":"ringing","call":")" + kCall + "\"}");
  const CloseFrame close = alice.socket().read_close();
  EXPECT_EQ(close.code, 4400);
  EXPECT_TRUE(close.reason.starts_with("bad_message: ")) << close.reason;
}

TEST_F(Signalling, ClosesOnAFrameThatIsTooBig) {
  start();
  SignalClient alice = sign_in("alice");
  alice.socket().send_text(std::string(64 * 1024 + 1, ' '));
  EXPECT_EQ(alice.socket().read_close().code, 4413);
}

TEST_F(Signalling, ClosesOnTooManyFrames) {
  SignalSettings settings;
  settings.frames_per_second = 1;
  settings.frames_burst = 20;
  start(settings);
  SignalClient alice = sign_in("alice");
  for (int i = 0; i < 30; ++i) alice.socket().send_text(R"({"type":"ping"})");
  const CloseFrame close = alice.socket().read_close();
  EXPECT_EQ(close.code, 4429);
  EXPECT_EQ(close.reason, "too_many_frames");
  EXPECT_EQ(counters().connections_rate_limited, 1U);
}

// A resume sends all that was not acknowledged, and acknowledges as much as comes, at once.
TEST_F(Signalling, TakesTheFramesOfAFullResumeAtOnce) {
  start();
  SignalClient alice = sign_in("alice");
  const std::size_t frames = 2 * call::Settings{}.max_queued_messages - 1;
  std::string burst;
  for (std::size_t i = 0; i < frames; ++i) burst += LoopbackClient::frame(kText, R"({"type":"ping"})");
  alice.socket().send(burst);
  for (std::size_t i = 0; i < frames; ++i) ASSERT_EQ(alice.socket().read_text(), R"({"type":"pong"})") << i;
}

TEST_F(Signalling, ShutdownEndsCallsAndClosesEverybody) {
  start();
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  SignalClient stranger = connect();
  stranger.socket().send(LoopbackClient::frame(kPing, ""));
  EXPECT_EQ(stranger.socket().read_frame().opcode, kPong);  // it is in
  dial(alice, bob);
  running_.on_loop([this] { service_->shutdown(); });
  EXPECT_EQ(alice.next("ended").member("reason"), "server_shutdown");
  for (SignalClient* client : {&alice, &bob, &stranger}) {
    const CloseFrame close = client->socket().read_close();
    EXPECT_EQ(close.code, 1001);
    EXPECT_EQ(close.reason, "server_shutdown");
  }
  SignalClient late = connect();
  EXPECT_EQ(late.socket().read_close().code, 1001);
}

TEST_F(Signalling, TheServerMayGoFirst) {
  start();
  SignalClient alice = sign_in("alice");
  running_.destroy_server();
  EXPECT_TRUE(alice.socket().ended());
  EXPECT_EQ(counters().live.connections, 0U);
}

TEST_F(Signalling, TheServiceMayGoFirst) {
  start();
  SignalClient alice = sign_in("alice");
  running_.on_loop([this] { service_.reset(); });
  EXPECT_EQ(alice.socket().read_close().code, 1001);
  SignalClient late = connect();
  EXPECT_EQ(late.socket().read_close().code, 1001);
}

}  // namespace
}  // namespace offhook::service
