#include "io/http/known_hosts.h"

#include <gtest/gtest.h>

namespace offhook::io {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const std::vector<Ip> kOne{*Ip::parse("192.0.2.1")};
const std::vector<Ip> kTwo{*Ip::parse("192.0.2.2")};
const Instant kStart{std::chrono::hours(5)};

TEST(KnownHosts, AHostIsUsedAtOnceAndLookedUpBesideOnceAMinute) {
  KnownHosts hosts;
  EXPECT_FALSE(hosts.find("push.example.net", kStart));
  hosts.learn("push.example.net", kOne, kStart);
  EXPECT_EQ(hosts.find("push.example.net", kStart)->addresses, kOne);
  EXPECT_FALSE(hosts.find("push.example.net", kStart + seconds(59))->is_stale);
  EXPECT_TRUE(hosts.find("push.example.net", kStart + seconds(60))->is_stale);
  EXPECT_FALSE(hosts.find("push.example.net", kStart + seconds(61))->is_stale);
  hosts.learn("push.example.net", kTwo, kStart + seconds(62));
  EXPECT_EQ(hosts.find("push.example.net", kStart + seconds(63))->addresses, kTwo);
  EXPECT_FALSE(hosts.find("push.example.net", kStart + seconds(121))->is_stale);
}

// A name server that is gone leaves it usable, for a while.
TEST(KnownHosts, AnHourLaterItIsForgotten) {
  KnownHosts hosts;
  hosts.learn("push.example.net", kOne, kStart);
  EXPECT_TRUE(hosts.find("push.example.net", kStart + minutes(59)));
  EXPECT_FALSE(hosts.find("push.example.net", kStart + minutes(60)));
  EXPECT_EQ(hosts.size(), 0U);
}

TEST(KnownHosts, WhatLedNowhereIsForgotten) {
  KnownHosts hosts;
  hosts.learn("push.example.net", kOne, kStart);
  hosts.forget("other.example.net");
  EXPECT_TRUE(hosts.find("push.example.net", kStart));
  hosts.forget("push.example.net");
  EXPECT_FALSE(hosts.find("push.example.net", kStart));
}

TEST(KnownHosts, BeyondTheLimitTheOldestGoes) {
  KnownHosts hosts;
  for (std::size_t i = 0; i <= KnownHosts::kLimit; ++i)
    hosts.learn("host" + std::to_string(i), kOne, kStart + seconds(i == 7 ? -1 : static_cast<int>(i)));
  EXPECT_EQ(hosts.size(), KnownHosts::kLimit);
  EXPECT_FALSE(hosts.find("host7", kStart + seconds(1)));
  EXPECT_TRUE(hosts.find("host0", kStart + seconds(1)));
}

}  // namespace
}  // namespace offhook::io
