#include "core/credentials/turn_credentials.h"

#include <gtest/gtest.h>

namespace offhook::credentials {
namespace {

using std::chrono::seconds;

TurnCredentials with(std::vector<std::string> secrets,
                     std::map<std::string, Secret, std::less<>> users = {}) {
  std::vector<Secret> wrapped;
  for (std::string& secret : secrets) wrapped.emplace_back(std::move(secret));
  return TurnCredentials(std::move(wrapped), std::move(users));
}

// Made with another implementation: base64 of `openssl dgst -sha1 -hmac north`.
TEST(TurnCredentials, MintsWhatTheDraftSays) {
  const TurnCredential minted =
      with({"north", "south"}).mint("ninefingers", seconds(3600), UnixTime{1433892318});
  EXPECT_EQ(minted.username, "1433895918:ninefingers");
  EXPECT_EQ(minted.password, "jy8hTxmOO7UtEKXqSkSlvakPVYA=");
  EXPECT_EQ(minted.ttl, seconds(3600));
}

TEST(TurnCredentials, AcceptsEverySecretNewestFirst) {
  const auto match = with({"north", "south"}).find("1433895918:ninefingers", UnixTime{1433892318});
  ASSERT_TRUE(match);
  ASSERT_EQ(match->passwords.size(), 2U);
  EXPECT_EQ(match->passwords[0].reveal(), "jy8hTxmOO7UtEKXqSkSlvakPVYA=");
  EXPECT_EQ(match->passwords[1].reveal(), "ZRmeITfdvXSIGq6eSNDaY9FgEI0=");
  EXPECT_EQ(match->user, "ninefingers");
  EXPECT_FALSE(match->expired);
}

TEST(TurnCredentials, AcceptsBothOrdersOfTheUsername) {
  const auto match = with({"north"}).find("alice:1433895918", UnixTime{1433892318});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->user, "alice");
  EXPECT_EQ(match->passwords.at(0).reveal(), "MqDW80rmVNBdKe5k3CQJr7NwEMI=");
  const auto alone = with({"north"}).find("1433895918", UnixTime{1433892318});
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->user, "");
  EXPECT_EQ(alone->passwords.at(0).reveal(), "3dkl8uIBelQlraT8v9eCSJTyt+U=");
}

TEST(TurnCredentials, AnOldPasswordLivesWhileItsSecretDoes) {
  const TurnCredential minted = with({"old"}).mint("alice", seconds(60), UnixTime{1000});
  const auto passwords = [&](std::vector<std::string> secrets) {
    return with(std::move(secrets)).find(minted.username, UnixTime{1001})->passwords;
  };
  EXPECT_EQ(passwords({"new", "old"}).at(1).reveal(), minted.password);
  EXPECT_NE(passwords({"new"}).at(0).reveal(), minted.password);
}

TEST(TurnCredentials, ExpiresAtTheSecond) {
  const TurnCredentials credentials = with({"north"});
  EXPECT_FALSE(credentials.find("2000:alice", UnixTime{1999})->expired);
  EXPECT_TRUE(credentials.find("2000:alice", UnixTime{2000})->expired);
  EXPECT_TRUE(credentials.find("2000:alice", UnixTime{2001})->expired);
}

TEST(TurnCredentials, AStaticUserGoesFirstAndNeverExpires) {
  const TurnCredentials credentials = with({"north"}, {{"bob", Secret("pw")}, {"1:carol", Secret("pw2")}});
  const auto bob = credentials.find("bob", UnixTime{5000});
  ASSERT_TRUE(bob);
  EXPECT_EQ(bob->passwords.at(0).reveal(), "pw");
  EXPECT_EQ(bob->user, "bob");
  const auto carol = credentials.find("1:carol", UnixTime{5000});
  ASSERT_TRUE(carol);
  EXPECT_FALSE(carol->expired);
  EXPECT_EQ(carol->passwords.at(0).reveal(), "pw2");
}

TEST(TurnCredentials, FindsNobodyElse) {
  EXPECT_FALSE(with({"north"}).find("alice", UnixTime{1}));
  EXPECT_FALSE(with({"north"}).find("", UnixTime{1}));
  EXPECT_FALSE(with({}).find("2000:alice", UnixTime{1}));
  EXPECT_FALSE(with({}).can_mint());
  EXPECT_TRUE(with({"north"}).can_mint());
}

TEST(EphemeralUsername, Table) {
  const auto parsed = [](std::string_view text) { return parse_ephemeral_username(text); };
  EXPECT_EQ(parsed("12:a:b")->user, "a:b") << "a user id may hold a colon";
  EXPECT_EQ(parsed("12:")->user, "");
  EXPECT_EQ(parsed("12:34")->expiry.seconds, 12) << "the draft's order goes first";
  EXPECT_EQ(parsed("alice:34")->expiry.seconds, 34);
  EXPECT_EQ(parsed("999999999999:a")->expiry.seconds, 999999999999);
  for (const char* text : {"", ":", "a:", ":a", "-1:a", "+1:a", " 1:a", "1x:a", "0x1:a", "1.5:a",
                           "9999999999999:a", "99999999999999999999999999:a"}) {
    EXPECT_FALSE(parsed(text)) << text;
  }
}

}  // namespace
}  // namespace offhook::credentials
