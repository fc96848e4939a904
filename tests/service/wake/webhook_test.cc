#include "service/wake/webhook.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <set>

#include "io/http/running_server.h"
#include "io/tls/client_context.h"
#include "service/wake/receivers.h"
#include "service/wake/wake_keys.h"

namespace offhook::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::member;

Ring ring_of(const std::string& caller, const std::string& callee, std::size_t call_letters = 22) {
  return {*signal::CallId::parse("c_" + std::string(call_letters, 'x')),
          caller,
          callee,
          {true, false},
          Instant{std::chrono::hours(1)},
          seconds(45)};
}

// The example of the Standard Webhooks specification's libraries.
TEST(WebhookSignature, IsThatOfStandardWebhooks) {
  const auto key = parse_webhook_secret(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
  ASSERT_TRUE(key);
  EXPECT_EQ(webhook_signature(*key, "msg_p5jXN8AQM9LWM0D4loKWxJek", UnixTime{1614265330},
                              R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookSignature, CoversIdTimeAndBody) {
  const Secret key(std::string(32, 'k'));
  const std::string whole = webhook_signature(key, "evt_1", UnixTime{1000}, "{}");
  EXPECT_NE(webhook_signature(key, "evt_2", UnixTime{1000}, "{}"), whole);
  EXPECT_NE(webhook_signature(key, "evt_1", UnixTime{1001}, "{}"), whole);
  EXPECT_NE(webhook_signature(key, "evt_1", UnixTime{1000}, "{ }"), whole);
  EXPECT_NE(webhook_signature(Secret(std::string(32, 'l')), "evt_1", UnixTime{1000}, "{}"), whole);
}

TEST(WebhookBody, TellsWhoCallsWhomAndForHowLong) {
  EXPECT_EQ(
      webhook_body(CallEvent::dialled, ring_of("alice", "bob"), "", UnixTime{1700000000}, milliseconds(12)),
      R"({"type":"call.dialled","timestamp":"2023-11-14T22:13:20Z","data":{"call":"c_xxxxxxxxxxxxxxxxxxxxxx",)"
      R"("caller":"alice","callee":"bob","media":{"audio":true,"video":false},"age_ms":12,"ring_timeout_ms":45000}})");
  const std::string over = webhook_body(CallEvent::canceled, ring_of("alice", "bob"), "no_answer",
                                        UnixTime{1700000045}, seconds(45));
  EXPECT_EQ(member(over, "type"), "call.canceled");
  EXPECT_EQ(member(over, "data.reason"), "no_answer");
  EXPECT_EQ(member(over, "data.age_ms"), "45000");
}

TEST(WebhookBody, FitsIntoAPushWithTheLongestNames) {
  const std::string quotes(128, '"');
  const Ring ring = ring_of(quotes, quotes, 62);
  const std::string body =
      webhook_body(CallEvent::canceled, ring, "answered_elsewhere", UnixTime{1700000000}, seconds(86400));
  EXPECT_LE(body.size(), kWebhookBodyLimit);
  EXPECT_EQ(member(body, "data.caller"), quotes);
}

// A backend that fails twice gets the same event until it takes it, and the next one of the call after that.
TEST(Webhook, AnEventKeepsItsIdAndIsSignedAnewForEachAttempt) {
  testing::RunningServer running;
  testing::Arrivals arrivals;
  std::deque<unsigned> statuses{503, 302};
  running.server().route("POST", "/hook", [&](const io::HttpRequest& request) {
    arrivals.add(request);
    if (statuses.empty()) return io::HttpResponse{.status = 204};
    const unsigned status = statuses.front();
    statuses.pop_front();
    return io::HttpResponse{.status = status};
  });
  running.start();
  const std::string secret = "whsec_" + crypto::base64_encode(Buffer(32, 9));
  crypto::SecureRandom random;
  std::optional<Webhook> webhook;
  testing::Settled<Fate> fate;
  running.on_loop([&] {
    wake::DeliverySettings deliveries;
    deliveries.first_pause = milliseconds(1);
    webhook.emplace(running.loop(), *io::HttpUrl::parse("http://" + running.address().text() + "/hook"),
                    *parse_webhook_secret(Secret(secret)), *io::client_context(""), random, deliveries);
    EXPECT_TRUE(webhook->post(CallEvent::dialled, ring_of("alice", "bob"), "", {}));
    EXPECT_TRUE(webhook->post(CallEvent::canceled, ring_of("alice", "bob"), "canceled",
                              [&fate](Fate value) { fate.set(value); }));
  });
  EXPECT_EQ(fate.get(), Fate::delivered);
  std::set<std::string> ids;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const io::HttpRequest request = arrivals.next();
    EXPECT_EQ(member(request.body, "type"), "call.dialled");
    EXPECT_TRUE(testing::webhook_is_ours(request, secret));
    ids.emplace(request.header("webhook-id"));
  }
  EXPECT_EQ(ids.size(), 1U);
  const io::HttpRequest next = arrivals.next();
  EXPECT_EQ(member(next.body, "type"), "call.canceled");
  EXPECT_FALSE(ids.contains(std::string(next.header("webhook-id"))));
  EXPECT_EQ(running.on_loop([&] { return webhook->counters().failed_attempts; }), 2U);
  running.on_loop([&] { webhook.reset(); });
  running.stop();
}

}  // namespace
}  // namespace offhook::service
