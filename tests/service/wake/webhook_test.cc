#include "service/wake/webhook.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace offhook::service
