// The whole way over real sockets: signalling, the webhook's receiver and the push service are one server on
// loopback.

#include "service/wake/wake_service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>

#include "crypto/secure_random.h"
#include "io/http/running_server.h"
#include "service/signal/signal_client.h"
#include "service/signal/signal_service.h"
#include "service/wake/receivers.h"
#include "service/wake/subscriptions.h"
#include "service/wake/wake_keys.h"
#include "tls_client.h"

namespace offhook::service {
namespace {

using namespace offhook::testing;
using std::chrono::seconds;

const Secret kSecret(std::string(32, 's'));
const std::string kCall = "c_0123456789abcdefghijkl";

std::string token(std::string_view user) {
  return credentials::mint_token(kSecret, user, seconds(60), io::ControlLoop::now().wall);
}

std::string of(std::string_view type) {
  return R"("type":")" + std::string(type) + R"(","call":")" + kCall + '"';
}

class Waking : public ::testing::Test {
 protected:
  enum class With { webhook, push_alone };

  void start(With with, bool any_endpoint = true) {
    running_.server().route("POST", "/hook", [this](const io::HttpRequest& request) {
      events_.add(request);
      return io::HttpResponse{.status = hook_status_.load()};
    });
    running_.server().route_prefix("POST", "/push/", [this](const io::HttpRequest& request) {
      pushes_.add(request);
      return io::HttpResponse{.status = push_status_.load()};
    });
    running_.start();
    running_.on_loop([this, with, any_endpoint] {
      WakeSettings settings;
      settings.state_dir = scratch_.path();
      settings.push_contact = "mailto:ops@example.org";
      settings.any_endpoint = any_endpoint;
      if (with == With::webhook) settings.webhook_url = origin() + "/hook";
      auto wake = WakeService::create(running_.loop(), settings, verifier_, random_);
      ASSERT_TRUE(wake) << wake.error();
      wake_ = std::move(*wake);
      wake_->add_routes(running_.server());
      SignalHooks hooks;
      hooks.on_call_dialled = [this](const auto& dialled) { wake_->handle(dialled); };
      hooks.on_call_answered = [this](const auto& answered) { wake_->handle(answered); };
      hooks.on_call_ended = [this](const auto& ended) { wake_->handle(ended); };
      SignalSettings signal_settings;
      // Who cannot be woken is unreachable at once.
      signal_settings.call.unreachable_timeout = std::chrono::milliseconds(1);
      signal_settings.warm_path = WarmPath::direct;
      signal_.emplace(running_.loop(), running_.server(), signal_settings, verifier_, random_,
                      std::move(hooks));
      wake_->on_waking([this](const auto& call, auto waking) { signal_->handle_waking(call, waking); });
    });
  }
  void TearDown() override {
    running_.on_loop([this] {
      signal_.reset();
      wake_.reset();
    });
    running_.stop();
  }
  std::string origin() { return "http://" + running_.address().text(); }
  std::string secret() const {
    std::string text;
    std::getline(std::ifstream(webhook_secret_path(scratch_.path())), text);
    return text;
  }
  Browser browser() { return Browser(origin() + "/push/" + std::to_string(++browsers_)); }
  HttpAnswer api(const std::string& method, const std::string& path, const std::string& body,
                 const std::string& user = "bob") {
    LoopbackClient client(running_.address());
    const std::string authorization = user.empty() ? "" : "Authorization: Bearer " + token(user) + "\r\n";
    client.send(method + " " + path + " HTTP/1.1\r\nHost: " + client.host() + "\r\n" + authorization +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.read_answer();
  }
  void subscribe(const Browser& browser, const std::string& user = "bob") {
    const HttpAnswer answer = api("POST", "/api/push/subscriptions", browser.subscription(), user);
    EXPECT_EQ(answer.status, 204) << answer.body;
  }
  // As if it had subscribed long ago.
  void seed(const Browser& browser, const std::string& user = "bob") {
    Subscriptions store(scratch_.file("push"), EndpointPolicy::any);
    ASSERT_TRUE(store.add(user, *parse_subscription(browser.subscription(), EndpointPolicy::any)));
  }
  std::string key() { return member(api("GET", "/api/push/key", "", "").body, "key"); }
  SignalClient sign_in(std::string_view user) {
    SignalClient client(running_.address());
    EXPECT_EQ(client.hello(token(user)).type(), "welcome");
    return client;
  }
  static void dial(SignalClient& caller) {
    caller.say(of("dial") + R"(,"to":"bob","media":{"audio":true,"video":true})");
  }
  WakeCounters counters() {
    return running_.on_loop([this] { return wake_->counters(); });
  }

  test::ScratchDirectory scratch_;
  crypto::SecureRandom random_;
  credentials::TokenVerifier verifier_{{{"", *crypto::VerificationKey::symmetric(kSecret)}}, {}};
  std::atomic<unsigned> hook_status_{200};
  std::atomic<unsigned> push_status_{201};
  Arrivals events_;
  Arrivals pushes_;
  RunningServer running_;
  std::unique_ptr<WakeService> wake_;
  std::optional<SignalService> signal_;
  int browsers_ = 0;
};

TEST_F(Waking, ADialGoesOutByWebhookAndPush) {
  start(With::webhook);
  const Browser phone = browser();
  subscribe(phone);
  SignalClient alice = sign_in("alice");
  dial(alice);

  const io::HttpRequest event = events_.next();
  EXPECT_TRUE(webhook_is_ours(event, secret()));
  EXPECT_TRUE(event.header("webhook-id").starts_with("evt_"));
  EXPECT_EQ(event.header("Content-Type"), "application/json");
  EXPECT_EQ(member(event.body, "type"), "call.dialled");
  EXPECT_EQ(member(event.body, "data.call"), kCall);
  EXPECT_EQ(member(event.body, "data.caller"), "alice");
  EXPECT_EQ(member(event.body, "data.callee"), "bob");
  EXPECT_EQ(member(event.body, "data.ring_timeout_ms"), "45000");
  EXPECT_EQ(event.body.find("sdp"), std::string::npos);

  const io::HttpRequest push = pushes_.next();
  const std::string text = phone.open(push);
  EXPECT_EQ(member(text, "type"), "ring");
  EXPECT_EQ(member(text, "call"), kCall);
  EXPECT_EQ(member(text, "from"), "alice");
  EXPECT_EQ(member(text, "to"), "bob");
  EXPECT_EQ(member(text, "media.video"), "true");
  EXPECT_EQ(push.header("TTL"), "45");
  EXPECT_EQ(push.header("Urgency"), "high");
  EXPECT_EQ(push.header("Topic").size(), 32U);
  const std::string claims = vapid_claims(push, key());
  EXPECT_EQ(member(claims, "aud"), origin());
  EXPECT_EQ(member(claims, "sub"), "mailto:ops@example.org");
  const std::int64_t ahead = std::stoll(member(claims, "exp")) - io::ControlLoop::now().wall.seconds;
  EXPECT_GT(ahead, 0);
  EXPECT_LE(ahead, 86400);
}

// The whole point: nobody is there when alice dials, and this call is the one that connects.
TEST_F(Waking, WhoeverWakesLateGetsThisCall) {
  start(With::push_alone);
  const Browser phone = browser();
  subscribe(phone);
  SignalClient alice = sign_in("alice");
  dial(alice);
  EXPECT_EQ(member(phone.open(pushes_.next()), "call"), kCall);
  SignalClient bob = sign_in("bob");
  EXPECT_EQ(bob.next("incoming").member("call"), kCall);
  bob.say(of("ringing"));
  bob.say(of("accept") + R"(,"media":{"audio":true,"video":true})");
  EXPECT_EQ(alice.next().type(), "ringing");
  EXPECT_EQ(alice.next().type(), "accepted");
  // His other browsers stop.
  const io::HttpRequest over = pushes_.next();
  EXPECT_EQ(member(phone.open(over), "type"), "over");
  EXPECT_EQ(member(phone.open(over), "reason"), "answered");
}

TEST_F(Waking, TheWebhookAloneKeepsTheCallAlive) {
  start(With::webhook);
  SignalClient alice = sign_in("alice");
  dial(alice);
  EXPECT_EQ(member(events_.next().body, "type"), "call.dialled");
  SignalClient bob = sign_in("bob");
  EXPECT_EQ(bob.next("incoming").member("call"), kCall);
  bob.say(of("accept") + R"(,"media":{"audio":true,"video":true})");
  EXPECT_EQ(alice.next().type(), "accepted");
  EXPECT_EQ(member(events_.next().body, "type"), "call.answered");
  alice.say(of("hangup"));
  const io::HttpRequest ended = events_.next();
  EXPECT_EQ(member(ended.body, "type"), "call.ended");
  EXPECT_EQ(member(ended.body, "data.reason"), "hangup");
  EXPECT_EQ(counters().rings, 0U);
}

TEST_F(Waking, ACallThatIsGivenUpIsTakenBackEverywhere) {
  start(With::webhook);
  const Browser phone = browser();
  subscribe(phone);
  SignalClient alice = sign_in("alice");
  dial(alice);
  const io::HttpRequest ring = pushes_.next();
  const std::string dialled_id(events_.next().header("webhook-id"));
  alice.say(of("hangup"));
  const io::HttpRequest event = events_.next();
  EXPECT_TRUE(webhook_is_ours(event, secret()));
  EXPECT_NE(event.header("webhook-id"), dialled_id);
  EXPECT_EQ(member(event.body, "type"), "call.canceled");
  EXPECT_EQ(member(event.body, "data.reason"), "canceled");
  const io::HttpRequest over = pushes_.next();
  EXPECT_EQ(member(phone.open(over), "type"), "over");
  EXPECT_EQ(member(phone.open(over), "reason"), "canceled");
  EXPECT_EQ(over.header("Topic"), ring.header("Topic"));
}

TEST_F(Waking, ACallerWhomTheUserHasBlockedWakesNobody) {
  start(With::webhook);
  const Browser phone = browser();
  subscribe(phone);
  running_.on_loop([this] { return signal_->block("bob", "alice"); });
  SignalClient alice = sign_in("alice");
  dial(alice);
  EXPECT_EQ(alice.next("ended").member("reason"), "blocked");
  SignalClient carol = sign_in("carol");
  dial(carol);
  EXPECT_EQ(member(events_.next().body, "data.caller"), "carol") << "the first that comes";
  EXPECT_EQ(member(phone.open(pushes_.next()), "from"), "carol");
}

// Who is called is not told why the caller has given up.
TEST_F(Waking, ABlockWhileItRingsIsTakenBackAsAnyOtherCall) {
  start(With::webhook);
  const Browser phone = browser();
  subscribe(phone);
  SignalClient alice = sign_in("alice");
  dial(alice);
  EXPECT_EQ(member(events_.next().body, "type"), "call.dialled");
  EXPECT_EQ(member(phone.open(pushes_.next()), "type"), "ring");
  running_.on_loop([this] { return signal_->block("alice", "bob"); });
  EXPECT_EQ(alice.next("ended").member("reason"), "blocked");
  const io::HttpRequest event = events_.next();
  EXPECT_EQ(member(event.body, "type"), "call.canceled");
  EXPECT_EQ(member(event.body, "data.reason"), "canceled");
  EXPECT_EQ(member(phone.open(pushes_.next()), "reason"), "canceled");
}

TEST_F(Waking, NobodyToWakeIsUnreachable) {
  start(With::push_alone);
  SignalClient alice = sign_in("alice");
  dial(alice);
  EXPECT_EQ(alice.next("ended").member("reason"), "unreachable");
}

TEST_F(Waking, ASubscriptionThatIsGoneIsForgottenAndWakesNobody) {
  start(With::push_alone);
  subscribe(browser());
  push_status_ = 410;
  SignalClient alice = sign_in("alice");
  dial(alice);
  EXPECT_EQ(alice.next("ended").member("reason"), "unreachable");
  EXPECT_EQ(pushes_.next().method, "POST");
  EXPECT_EQ(counters().subscriptions_gone, 1U);
  EXPECT_EQ(counters().push.accepted, 1U);  // where nothing rang, nothing is said to be over
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.file("push")));
}

TEST_F(Waking, OneOfTwoBrowsersIsEnough) {
  start(With::push_alone);
  const Browser gone = browser();
  const Browser phone = browser();
  running_.on_loop([this] {
    running_.server().route("POST", "/push/1",
                            [](const io::HttpRequest&) { return io::HttpResponse{.status = 404}; });
  });
  seed(gone);
  seed(phone);
  SignalClient alice = sign_in("alice");
  dial(alice);
  EXPECT_EQ(member(phone.open(pushes_.next()), "type"), "ring");
  SignalClient bob = sign_in("bob");
  EXPECT_EQ(bob.next("incoming").member("call"), kCall);
}

TEST_F(Waking, ABackendThatKnowsNobodyToWakeSaysSo) {
  start(With::webhook);
  hook_status_ = 404;
  SignalClient alice = sign_in("alice");
  dial(alice);
  EXPECT_EQ(alice.next("ended").member("reason"), "unreachable");
}

// Who is online hears it ring although everybody who should wake others is stuck.
TEST_F(Waking, RingingBySocketWaitsForNobody) {
  start(With::push_alone);
  const io::Fd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(silent.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  ASSERT_EQ(listen(silent.get(), 8), 0);
  socklen_t length = sizeof any;
  ASSERT_EQ(getsockname(silent.get(), reinterpret_cast<sockaddr*>(&any), &length), 0);
  subscribe(Browser("http://127.0.0.1:" + std::to_string(ntohs(any.sin_port)) + "/"));
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  dial(alice);
  EXPECT_EQ(bob.next("incoming").member("call"), kCall);
  bob.say(of("ringing"));
  EXPECT_EQ(alice.next().type(), "ringing");
  EXPECT_EQ(counters().push.waiting, 1U);
}

TEST_F(Waking, EndpointsThatOnlyThisMachineReachesAreNotConnectedTo) {
  start(With::push_alone, false);
  EXPECT_EQ(api("POST", "/api/push/subscriptions", browser().subscription()).status, 400);
  subscribe(Browser("https://localhost/push"), "carol");
  SignalClient alice = sign_in("alice");
  alice.say(of("dial") + R"(,"to":"carol","media":{"audio":true,"video":false})");
  EXPECT_EQ(alice.next("ended").member("reason"), "unreachable");
  EXPECT_EQ(counters().push.accepted, 1U);
  EXPECT_EQ(counters().push.refused, 1U);
}

TEST_F(Waking, SubscriptionsAreTheTokensUsersAndAreTakenBack) {
  start(With::push_alone);
  const Browser phone = browser();
  const std::string path = "/api/push/subscriptions";
  EXPECT_EQ(api("POST", path, phone.subscription(), "").status, 401);
  EXPECT_EQ(api("DELETE", path, phone.subscription(), "").status, 401);
  const HttpAnswer bad = api("POST", path, R"({"endpoint":"x"})", "dave");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(member(bad.body, "error.code"), "bad_subscription");
  subscribe(phone, "carol");
  const HttpAnswer again = api("POST", path, phone.subscription(), "carol");
  EXPECT_EQ(again.status, 429);
  EXPECT_EQ(again.headers.at("retry-after"), "1");
  seed(phone);
  EXPECT_EQ(api("DELETE", path, phone.subscription(), "mallory").status, 204);
  const Subscriptions store(scratch_.file("push"), EndpointPolicy::any);
  EXPECT_EQ(store.of("bob").size(), 1U);
  EXPECT_EQ(api("DELETE", path, R"({"endpoint":")" + phone.endpoint() + R"("})").status, 204);
  EXPECT_EQ(store.of("bob").size(), 0U);
  EXPECT_EQ(store.of("carol").size(), 1U);
  EXPECT_EQ(crypto::base64url_decode(key())->size(), 65U);
}

TEST(WakeService, SaysAtStartWhatIsWrong) {
  io::ControlLoop loop;
  crypto::SecureRandom random;
  const credentials::TokenVerifier verifier({{"", *crypto::VerificationKey::symmetric(kSecret)}}, {});
  const test::ScratchDirectory scratch;
  const auto error_of = [&](const std::string& url, const std::string& secret) {
    WakeSettings settings;
    settings.state_dir = scratch.path();
    settings.webhook_url = url;
    settings.webhook_secret = Secret(secret);
    const auto wake = WakeService::create(loop, settings, verifier, random);
    return wake ? "" : wake.error();
  };
  const std::string good = "whsec_" + crypto::base64_encode(Buffer(32, 1));
  EXPECT_EQ(error_of("", ""), "");
  EXPECT_EQ(error_of("http://127.0.0.1:9/nobody-is-there", good), "");
  EXPECT_EQ(error_of("https://app.example.org/calls", ""), "");
  EXPECT_NE(error_of("https://user:word@app.example.org/", good).find("webhook_url must be"),
            std::string::npos);
  EXPECT_NE(error_of("https://", good).find("webhook_url must be"), std::string::npos);
  EXPECT_NE(error_of("https://app.example.org/", "whsec_AAAA").find("openssl rand"), std::string::npos);
}

}  // namespace
}  // namespace offhook::service
