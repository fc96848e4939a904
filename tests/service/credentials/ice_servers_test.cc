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

TEST(TurnsHost, IsOneThatTheCertificateCovers) {
  const io::CertificateNames names{{"calls.example.org", "*.example.net"},
                                   {*Ip::parse("192.0.2.1"), *Ip::parse("2001:db8::1")}};
  // What the operator says, even if the certificate does not.
  EXPECT_EQ(turns_host("other.example.com", "192.0.2.1", "", names), "other.example.com");
  // An address, where a name could fail.
  EXPECT_EQ(turns_host("", "192.0.2.1", "calls.example.org", names), "192.0.2.1");
  EXPECT_EQ(turns_host("", "[2001:db8::1]", "calls.example.org", names), "[2001:db8::1]");
  // Else the name by which the client came, else the certificate's first.
  EXPECT_EQ(turns_host("", "192.0.2.2", "eu.example.net:5349", names), "eu.example.net");
  EXPECT_EQ(turns_host("", "192.0.2.2", "192.0.2.2:5349", names), "calls.example.org");
  EXPECT_EQ(turns_host("", "turn.example.net", "", names), "turn.example.net");
}

TEST(TurnsHost, IsNoneRatherThanOneThatClientsRefuse) {
  EXPECT_EQ(turns_host("", "192.0.2.2", "192.0.2.2", {{"*.example.net"}, {}}), "");
  EXPECT_EQ(turns_host("", "192.0.2.2", "localhost", {{"localhost"}, {}}), "");
  EXPECT_EQ(turns_host("", "192.0.2.2", "", {}), "");
}

TEST(IceServers, NameTheRelayOverTlsBesideTheOthers) {
  EXPECT_EQ(relay_uris("192.0.2.1", 3478, "calls.example.org", 443).back(),
            "turns:calls.example.org:443?transport=tcp");
  EXPECT_EQ(relay_uris("192.0.2.1", 3478, "", 443).size(), 3U);
  const std::string text =
      ice_servers_json({"u", "p", std::chrono::seconds(1)}, relay_uris("192.0.2.1", 3478, "192.0.2.1", 443));
  EXPECT_NE(text.find(R"({"urls":["turn:192.0.2.1:3478?transport=udp","turn:192.0.2.1:3478?transport=tcp",)"
                      R"("turns:192.0.2.1:443?transport=tcp"],"username":"u","credential":"p"})"),
            std::string::npos)
      << text;
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
