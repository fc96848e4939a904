#include "service/wake/subscriptions.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "service/wake/push_routes.h"
#include "service/wake/receivers.h"
#include "tls_client.h"

namespace offhook::service {
namespace {

using testing::Browser;

Subscription parsed(const Browser& browser) {
  const auto subscription = parse_subscription(browser.subscription(), EndpointPolicy::public_only);
  EXPECT_TRUE(subscription) << subscription.error();
  return *subscription;
}

std::string fault_of(const std::string& text, EndpointPolicy policy = EndpointPolicy::public_only) {
  const auto subscription = parse_subscription(text, policy);
  return subscription ? "" : subscription.error();
}

TEST(Subscription, IsReadAsTheBrowserGivesIt) {
  const Browser browser("https://push.example.net/send/abc?x=1");
  const Subscription subscription = parsed(browser);
  EXPECT_EQ(subscription.endpoint, "https://push.example.net/send/abc?x=1");
  EXPECT_EQ(subscription.url.target, "/send/abc?x=1");
}

TEST(Subscription, AnEndpointIsPublicAndHttps) {
  for (const std::string endpoint :
       {"http://push.example.net/x", "https://push.example.net:8443/x", "https://127.0.0.1/x",
        "https://10.0.0.1/x", "https://169.254.169.254/latest", "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x", "ftp://push.example.net/x", "push.example.net",
        "https://user@push.example.net/"}) {
    EXPECT_EQ(fault_of(Browser(endpoint).subscription()).rfind("endpoint must", 0), 0U) << endpoint;
  }
  EXPECT_EQ(fault_of(Browser("https://203.0.114.1/x").subscription()), "");
  EXPECT_EQ(fault_of(Browser("http://127.0.0.1:8080/x").subscription(), EndpointPolicy::any), "");
  EXPECT_NE(fault_of(Browser("ftp://127.0.0.1/x").subscription(), EndpointPolicy::any), "");
  EXPECT_NE(fault_of(Browser("https://a.example/" + std::string(kMaxEndpoint, 'x')).subscription()), "");
}

TEST(Subscription, AFieldThatIsWrongIsNamed) {
  const std::string good = Browser("https://push.example.net/x").subscription();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return fault_of(text);
  };
  EXPECT_EQ(with("\"p256dh\":\"B", "\"p256dh\":\"C"),
            "keys.p256dh must be an uncompressed point of P-256 in base64url");
  EXPECT_EQ(with("\"auth\":\"", "\"auth\":\"AAAA"), "keys.auth must be 16 bytes in base64url");
  EXPECT_EQ(with("\"auth\"", "\"other\""), "keys.auth is missing");
  EXPECT_EQ(with("\"keys\"", "\"other\""), "keys is missing");
  EXPECT_NE(fault_of("[]"), "");
  EXPECT_NE(fault_of("{"), "");
  EXPECT_NE(fault_of(""), "");
}

class Store : public ::testing::Test {
 protected:
  std::vector<std::string> endpoints(std::string_view user) const {
    std::vector<std::string> all;
    for (const Subscription& one : store_.of(user)) all.push_back(one.endpoint);
    return all;
  }
  static std::string at(int number) { return "https://push.example.net/" + std::to_string(number); }
  std::size_t files() const {
    const std::filesystem::path directory = scratch_.file("push");
    if (!std::filesystem::exists(directory)) return 0;
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
  }

  test::ScratchDirectory scratch_;
  Subscriptions store_{scratch_.file("push"), EndpointPolicy::public_only};
};

using Endpoints = std::vector<std::string>;

TEST_F(Store, HoldsThoseOfEachUserAcrossARestart) {
  ASSERT_TRUE(store_.add("bob", parsed(Browser(at(1)))));
  ASSERT_TRUE(store_.add("bob", parsed(Browser(at(2)))));
  ASSERT_TRUE(store_.add("../../etc/J\xC3\xB6rg", parsed(Browser(at(3)))));
  EXPECT_EQ(endpoints("bob"), (Endpoints{at(1), at(2)}));
  EXPECT_EQ(endpoints("../../etc/J\xC3\xB6rg"), Endpoints{at(3)});
  EXPECT_EQ(endpoints("carol"), Endpoints{});
  const Subscriptions again(scratch_.file("push"), EndpointPolicy::public_only);
  EXPECT_EQ(again.of("bob").size(), 2U);
  EXPECT_EQ(files(), 2U);
}

TEST_F(Store, TheKeysOfAnEndpointAreReplaced) {
  const Subscription first = parsed(Browser(at(1)));
  const Subscription second = parsed(Browser(at(1)));
  ASSERT_TRUE(store_.add("bob", first));
  ASSERT_TRUE(store_.add("bob", second));
  ASSERT_EQ(store_.of("bob").size(), 1U);
  EXPECT_EQ(store_.of("bob")[0].recipient.point, second.recipient.point);
  EXPECT_EQ(store_.of("bob")[0].recipient.auth, second.recipient.auth);
}

TEST_F(Store, BeyondTheLimitTheOldestGoes) {
  Endpoints expected;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(store_.add("bob", parsed(Browser(at(i)))));
    if (i >= 2) expected.push_back(at(i));
  }
  EXPECT_EQ(kMaxSubscriptionsPerUser, expected.size());
  EXPECT_EQ(endpoints("bob"), expected);
}

TEST_F(Store, WhatIsRemovedIsGoneAndLeavesNoFile) {
  ASSERT_TRUE(store_.add("bob", parsed(Browser(at(1)))));
  ASSERT_TRUE(store_.add("bob", parsed(Browser(at(2)))));
  EXPECT_TRUE(*store_.remove("bob", at(1)));
  EXPECT_FALSE(*store_.remove("bob", at(1)));
  EXPECT_EQ(endpoints("bob"), Endpoints{at(2)});
  EXPECT_TRUE(*store_.remove("bob", at(2)));
  EXPECT_EQ(files(), 0U);
}

TEST_F(Store, ADamagedLineCostsOneSubscription) {
  ASSERT_TRUE(store_.add("bob", parsed(Browser(at(1)))));
  ASSERT_TRUE(store_.add("bob", parsed(Browser(at(2)))));
  const std::filesystem::path file = std::filesystem::directory_iterator(scratch_.file("push"))->path();
  std::fstream(file, std::ios::in | std::ios::out) << "###";
  EXPECT_EQ(endpoints("bob"), Endpoints{at(2)});
}

TEST_F(Store, SaysThatItCannotWrite) {
  const Subscriptions nowhere("/proc/push", EndpointPolicy::public_only);
  Subscriptions store("/proc/push", EndpointPolicy::public_only);
  EXPECT_FALSE(store.add("bob", parsed(Browser(at(1)))));
}

TEST(ChangeLimit, IsOneChangeASecondForEachUser) {
  ChangeLimit limit;
  const Instant now{std::chrono::hours(1)};
  EXPECT_TRUE(limit.take("alice", now));
  EXPECT_TRUE(limit.take("bob", now));
  EXPECT_FALSE(limit.take("alice", now + std::chrono::milliseconds(999)));
  EXPECT_TRUE(limit.take("alice", now + std::chrono::seconds(1)));
  EXPECT_FALSE(limit.take("alice", now + std::chrono::seconds(1)));
  EXPECT_TRUE(limit.take("bob", now + std::chrono::seconds(5)));
}

}  // namespace
}  // namespace offhook::service
