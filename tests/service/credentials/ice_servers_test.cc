#include "service/credentials/ice_servers.h"

#include <gtest/gtest.h>

#include "wire/json/json.h"

namespace offhook::service {
namespace {

Address at(const char* text) { return *Address::parse(text); }

TEST(RelayHost, IsWhatTheOperatorSetFirst) {
  EXPECT_EQ(
      relay_host("turn.example.org", Ip::parse("203.0.113.7"), "app.example.org", at("10.0.0.5:8080"), true),
      "turn.example.org");
  EXPECT_EQ(relay_host("2001:db8::1", std::nullopt, "", at("10.0.0.5:8080"), true), "[2001:db8::1]");
}

TEST(RelayHost, IsTheExternalAddressBehindOneToOneNat) {
  EXPECT_EQ(relay_host("", Ip::parse("203.0.113.7"), "app.example.org", at("10.0.0.5:8080"), true),
            "203.0.113.7");
}

TEST(RelayHost, IsALiteralAsTheClientReachedUs) {
  EXPECT_EQ(relay_host("", std::nullopt, "192.168.1.5:8080", at("192.168.1.5:8080"), true), "192.168.1.5");
  EXPECT_EQ(relay_host("", std::nullopt, "[2001:db8::5]:8080", at("[2001:db8::5]:8080"), true),
            "[2001:db8::5]");
  EXPECT_EQ(relay_host("", std::nullopt, "app.example.org", at("198.51.100.9:443"), true), "198.51.100.9");
}

TEST(RelayHost, OfLocalhostIsIpv4WhereWeListenThere) {
  EXPECT_EQ(relay_host("", std::nullopt, "localhost:8080", at("[::1]:8080"), true), "127.0.0.1");
  EXPECT_EQ(relay_host("", std::nullopt, "localhost:8080", at("[::1]:8080"), false), "[::1]");
}

TEST(RelayHost, BehindAProxyOfThisMachineIsTheNameThatTheClientUsed) {
  EXPECT_EQ(relay_host("", std::nullopt, "app.example.org", at("127.0.0.1:8080"), true), "app.example.org");
  EXPECT_EQ(relay_host("", std::nullopt, "", at("127.0.0.1:8080"), true), "127.0.0.1");
}

TEST(IceServers, HaveTheFieldsOfTheRestDraftAndOfTheBrowser) {
  const credentials::TurnCredential credential{"1762961234:alice", "s+cret=", std::chrono::seconds(3600)};
  const auto uris = relay_uris("192.0.2.1", 3478);
  ASSERT_EQ(uris.size(), 3U);
  EXPECT_EQ(
      ice_servers_json(credential, uris),
      R"({"username":"1762961234:alice","credential":"s+cret=","password":"s+cret=","ttl":3600,)"
      R"("uris":["stun:192.0.2.1:3478","turn:192.0.2.1:3478?transport=udp","turn:192.0.2.1:3478?transport=tcp"],)"
      R"("iceServers":[{"urls":["stun:192.0.2.1:3478"]},)"
      R"({"urls":["turn:192.0.2.1:3478?transport=udp","turn:192.0.2.1:3478?transport=tcp"],)"
      R"("username":"1762961234:alice","credential":"s+cret="}]})");
}

}  // namespace
}  // namespace offhook::service
