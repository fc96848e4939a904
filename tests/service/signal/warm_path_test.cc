// The warm path through real sockets: policies, credentials that are pushed, and what other services are
// told.

#include <gtest/gtest.h>

#include <optional>

#include "crypto/secure_random.h"
#include "io/http/running_server.h"
#include "service/signal/signal_client.h"
#include "service/signal/signal_service.h"
#include "wire/jwt/jwt.h"

namespace offhook::service {
namespace {

using namespace offhook::testing;
using std::chrono::seconds;

const Secret kSecret(std::string(32, 's'));
const std::string kCall = "c_0123456789abcdefghijkl";
const std::string kMedia = R"("media":{"audio":true,"video":true})";

std::string token(std::string_view user, std::optional<std::string> warm_path = std::nullopt) {
  jwt::Claims claims;
  claims.sub = std::string(user);
  claims.exp = (io::ControlLoop::now().wall + seconds(60)).seconds;
  claims.warm_path = std::move(warm_path);
  return jwt::encode_hs256(kSecret, claims);
}

std::string of(std::string_view type, const std::string& more = "") {
  return R"("type":")" + std::string(type) + R"(","call":")" + kCall + '"' + more;
}

std::string trickled(std::string_view line) {
  return of("ice-candidate", R"(,"generation":0,"candidate":{"candidate":")" + std::string(line) +
                                 R"(","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"u"})");
}

class WarmSignalling : public ::testing::Test {
 protected:
  void start(SignalSettings settings = {}) {
    SignalHooks hooks;
    hooks.credentials_for = [](std::string_view user, const Address& local_address, std::string_view host) {
      return R"({"username":")" + std::string(user) + R"(","reached":")" + local_address.text() +
             R"(","host":")" + std::string(host) + "\"}";
    };
    hooks.on_peer_introduced = [this](const std::string& user, const std::string& call, const Address& peer) {
      told_.push_back(user + " " + call + " " + peer.text());
    };
    hooks.on_call_over = [this](const std::string& call) { told_.push_back("over " + call); };
    service_.emplace(running_.loop(), running_.server(), std::move(settings), verifier_, random_,
                     std::move(hooks));
    running_.start();
  }
  void TearDown() override {
    running_.stop();
    service_.reset();
  }
  SignalClient connect() { return SignalClient(running_.address()); }
  Received welcome_of(SignalClient& client, const std::string& jwt, const std::string& more = "") {
    client.socket().send_text(R"({"type":"hello","version":1,"token":")" + jwt + '"' + more + "}");
    return Received{client.socket().read_text()};
  }
  std::vector<std::string> told() {
    return running_.on_loop([this] { return told_; });
  }

  std::vector<std::string> told_;  // on the loop's thread
  crypto::SecureRandom random_;
  credentials::TokenVerifier verifier_{{{"", *crypto::VerificationKey::symmetric(kSecret)}}, {}};
  RunningServer running_;
  std::optional<SignalService> service_;
};

TEST_F(WarmSignalling, TheTokenReplacesTheServersAndTheClientMayOnlyBeStricter) {
  SignalSettings settings;
  settings.warm_path = WarmPath::relay;
  start(settings);
  const struct {
    std::optional<std::string> claim;
    std::string wish;
    std::string expected;
  } kCases[] = {{std::nullopt, "", "relay"}, {std::nullopt, "direct", "relay"}, {std::nullopt, "off", "off"},
                {"direct", "", "direct"},    {"direct", "relay", "relay"},      {"off", "direct", "off"},
                {"relay", "direct", "relay"}};
  for (const auto& one : kCases) {
    SignalClient client = connect();
    const std::string wish = one.wish.empty() ? "" : R"(,"warm_path":")" + one.wish + '"';
    EXPECT_EQ(welcome_of(client, token("alice", one.claim), wish).member("warm_path"), one.expected)
        << one.claim.value_or("none") << " " << one.wish;
  }
}

TEST_F(WarmSignalling, WordsThatMeanNothingAreRefused) {
  start();
  SignalClient odd_wish = connect();
  odd_wish.socket().send_text(R"({"type":"hello","version":1,"token":")" + token("alice") +
                              R"(","warm_path":"on"})");
  const CloseFrame wish = odd_wish.socket().read_close();
  EXPECT_EQ(wish.code, 4400);
  EXPECT_EQ(wish.reason, "bad_message: warm_path must be one of direct, relay, off");
  SignalClient odd_claim = connect();
  odd_claim.socket().send_text(R"({"type":"hello","version":1,"token":")" + token("alice", "on") + "\"}");
  const CloseFrame claim = odd_claim.socket().read_close();
  EXPECT_EQ(claim.code, 4401);
  EXPECT_EQ(claim.reason, "token_invalid: the claim warm_path must be direct, relay or off");
}

TEST_F(WarmSignalling, CredentialsFollowTheWelcomeAndComeAgain) {
  SignalSettings settings;
  settings.call.credentials_interval = std::chrono::milliseconds(20);
  start(settings);
  SignalClient alice = connect();
  EXPECT_EQ(welcome_of(alice, token("alice")).type(), "welcome");
  for (int i = 0; i < 3; ++i) {
    const Received credentials{alice.socket().read_text()};
    EXPECT_EQ(credentials.type(), "credentials") << credentials.text;
    EXPECT_EQ(credentials.member("username"), "alice");
    EXPECT_EQ(credentials.member("reached"), running_.address().text());
    EXPECT_NE(credentials.member("host"), "");
    EXPECT_EQ(credentials.member("seq"), "");
  }
}

TEST_F(WarmSignalling, APathIsWarmedAndReleased) {
  SignalSettings settings;
  settings.call.is_own_relay = [](const Address& address) {
    return address == Address::parse("203.0.113.5:50000");
  };
  start(std::move(settings));
  SignalClient alice = connect();
  SignalClient bob = connect();
  (void)welcome_of(alice, token("alice"));
  (void)welcome_of(bob, token("bob"));
  const std::string host = "candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host";
  const std::string relay = "candidate:2 1 udp 41885439 203.0.113.5 50000 typ relay raddr ";
  alice.say(of("dial", R"(,"to":"bob",)" + kMedia));
  alice.say(
      of("offer", R"(,"generation":0,"sdp":"v=0\r\nm=audio 5000 x 0\r\na=)" + host + R"(\r\na=mid:0\r\n")"));
  alice.say(trickled("candidate:3 1 udp 41885439 192.0.2.66 50000 typ relay"));
  alice.say(trickled(relay + "192.0.2.1 rport 5000"));
  const Received incoming = bob.next();
  EXPECT_EQ(incoming.type(), "incoming");
  EXPECT_EQ(incoming.member("warm_path"), "relay");
  EXPECT_EQ(bob.next().member("sdp"), "v=0\r\nm=audio 9 x 0\r\na=mid:0\r\n");
  const Received candidate = bob.next();
  EXPECT_NE(candidate.text.find(relay + "0.0.0.0 rport 0"), std::string::npos) << candidate.text;
  bob.say(of("ringing"));
  bob.say(of("answer", R"(,"generation":0,"sdp":"v=0\r\na=)" + host + R"(\r\n")"));
  bob.say(trickled(relay + "192.0.2.2 rport 5000"));
  EXPECT_EQ(alice.next().type(), "ringing");
  EXPECT_EQ(alice.next().member("sdp"), "v=0\r\n");
  EXPECT_EQ(alice.next().type(), "ice-candidate");
  EXPECT_EQ(told(), (std::vector<std::string>{"bob " + kCall + " 203.0.113.5:50000",
                                              "alice " + kCall + " 203.0.113.5:50000"}));
  bob.say(of("accept", "," + kMedia));
  EXPECT_EQ(alice.next().type(), "accepted");
  EXPECT_NE(alice.next().text.find(host), std::string::npos);
  EXPECT_NE(bob.next().text.find(host), std::string::npos);
  EXPECT_NE(bob.next().text.find("192.0.2.66"), std::string::npos);
  bob.say(of("hangup"));
  EXPECT_EQ(alice.next().type(), "ended");
  ASSERT_EQ(told().size(), 8U);
  const std::string here = running_.address().ip.text();
  EXPECT_EQ(told()[2], "alice " + kCall + " " + here + ":0") << "where bob's connection comes from";
  EXPECT_EQ(told()[3], "bob " + kCall + " " + here + ":0");
  EXPECT_EQ(told().back(), "over " + kCall);
}

TEST_F(WarmSignalling, WithoutHooksNothingIsPushed) {
  service_.emplace(running_.loop(), running_.server(), SignalSettings{}, verifier_, random_, SignalHooks{});
  running_.start();
  SignalClient alice = connect();
  EXPECT_EQ(welcome_of(alice, token("alice")).type(), "welcome");
  alice.socket().send_text(R"({"type":"ping"})");
  EXPECT_EQ(Received{alice.socket().read_text()}.type(), "pong");
}

}  // namespace
}  // namespace offhook::service
