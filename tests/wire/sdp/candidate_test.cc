#include "wire/sdp/candidate.h"

#include <gtest/gtest.h>

namespace offhook::sdp {
namespace {

bool is_any(const Address&) { return true; }
std::string guarded(std::string_view text) {
  return guarded_relay_candidate(text, is_any).value_or("withheld");
}

TEST(Candidate, ReadsWhatBrowsersWrite) {
  const auto host = parse_candidate(
      "candidate:3885250869 1 udp 2122260223 192.0.2.17 51234 typ host generation 0 ufrag x3/+ network-id 1");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->foundation, "3885250869");
  EXPECT_EQ(host->component, 1);
  EXPECT_EQ(host->transport, Transport::udp);
  EXPECT_EQ(host->priority, 2122260223U);
  EXPECT_EQ(host->address(), Address::parse("192.0.2.17:51234"));
  EXPECT_EQ(host->type, CandidateType::host);

  const auto srflx =
      parse_candidate("a=candidate:1 2 UDP 1685921535 2001:db8::7 9 typ srflx raddr 10.0.0.1 rport 5\r\n");
  ASSERT_TRUE(srflx);
  EXPECT_EQ(srflx->component, 2);
  EXPECT_EQ(srflx->transport, Transport::udp);
  EXPECT_EQ(srflx->address()->text(), "[2001:db8::7]:9");
  EXPECT_EQ(srflx->type, CandidateType::srflx);

  const auto tcp = parse_candidate("candidate:9 1 tcp 1518214911 192.0.2.17 9 typ host tcptype active");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->transport, Transport::tcp);
  const auto hidden = parse_candidate("candidate:9 1 udp 1 9b36eaac-bb2e.local 5000 typ host");
  ASSERT_TRUE(hidden);
  EXPECT_FALSE(hidden->address());
  EXPECT_EQ(parse_candidate("candidate:9 1 udp 1 192.0.2.1 5000 typ prflx")->type, CandidateType::prflx);
  EXPECT_EQ(parse_candidate("candidate:9 1 sctp 1 192.0.2.1 5000 typ odd")->type, CandidateType::other);
  EXPECT_EQ(parse_candidate("candidate:9 1 sctp 1 192.0.2.1 5000 typ odd")->transport, Transport::other);
}

TEST(Candidate, TakesNothingElse) {
  for (const char* text :
       {"",
        "candidate:",
        "candidate",
        "a=candidate",
        "1 1 udp 1 192.0.2.1 5000 typ relay",
        "candidate:1 1 udp 1 192.0.2.1 5000",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ ",
        "candidate:1 1 udp 1 192.0.2.1 5000 type relay",
        "candidate:1 0 udp 1 192.0.2.1 5000 typ relay",
        "candidate:1 257 udp 1 192.0.2.1 5000 typ relay",
        "candidate:1 x udp 1 192.0.2.1 5000 typ relay",
        "candidate:1 1 udp -1 192.0.2.1 5000 typ relay",
        "candidate:1 1 udp 2147483648 192.0.2.1 5000 typ relay",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ relay",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ relay ",
        "candidate:1  1 udp 1 192.0.2.1 5000 typ relay",
        " candidate:1 1 udp 1 192.0.2.1 5000 typ relay",
        "candidate:a.b 1 udp 1 192.0.2.1 5000 typ relay",
        "candidate:1\t1 udp 1 192.0.2.1 5000 typ relay",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ relay\na=candidate:1 1 udp 1 10.0.0.1 5000 typ host",
        "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 5000 typ relay"}) {
    EXPECT_FALSE(parse_candidate(text)) << text;
    EXPECT_FALSE(guarded_relay_candidate(text, is_any)) << text;
  }
}

TEST(Candidate, ARelayCandidateIsShownWithoutWhereItsOwnerIs) {
  EXPECT_EQ(guarded("candidate:1 1 udp 41885439 203.0.113.5 50000 typ relay raddr 10.0.0.7 rport 40000 "
                    "generation 0 ufrag aB+/ network-id 1 network-cost 10"),
            "candidate:1 1 udp 41885439 203.0.113.5 50000 typ relay raddr 0.0.0.0 rport 0 generation 0 "
            "ufrag aB+/ network-id 1 network-cost 10");
  EXPECT_EQ(guarded("a=candidate:1 1 UDP 41885439 2001:db8::5 50000 typ relay raddr 10.0.0.7 rport 40000"),
            "a=candidate:1 1 UDP 41885439 2001:db8::5 50000 typ relay raddr :: rport 0");
  EXPECT_EQ(guarded("candidate:1 1 udp 1 203.0.113.5 50000 typ relay"),
            "candidate:1 1 udp 1 203.0.113.5 50000 typ relay raddr 0.0.0.0 rport 0");
  EXPECT_EQ(guarded("candidate:1 1 tcp 1 203.0.113.5 9 typ relay raddr 10.0.0.7 rport 1 tcptype passive"),
            "candidate:1 1 tcp 1 203.0.113.5 9 typ relay raddr 0.0.0.0 rport 0 tcptype passive");
}

TEST(Candidate, ExtensionsThatMayHoldAnAddressAreLeftOut) {
  const std::string plain = "candidate:1 1 udp 1 203.0.113.5 50000 typ relay raddr 0.0.0.0 rport 0";
  for (const char* more : {" raddr 10.0.0.7 rport 5 raddr 10.0.0.8 rport 6", " x-local 10.0.0.7",
                           " generation 10.0.0.7", " ufrag 10.0.0.7", " tcptype 10.0.0.7",
                           " network-id 10.0.0.7", " 10.0.0.7 10.0.0.8", " relay-protocol udp"}) {
    EXPECT_EQ(guarded("candidate:1 1 udp 1 203.0.113.5 50000 typ relay" + std::string(more)), plain) << more;
  }
}

TEST(Candidate, WhatIsNoRelayCandidateIsWithheld) {
  for (const char* text :
       {"candidate:1 1 udp 1 192.0.2.1 5000 typ host", "candidate:1 1 udp 1 192.0.2.1 5000 typ srflx",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ prflx", "candidate:1 1 udp 1 192.0.2.1 5000 typ relayed",
        "candidate:1 1 udp 1 my-laptop.local 5000 typ relay", "candidate:1 1 sctp 1 192.0.2.1 5000 typ relay",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host typ relay"}) {
    EXPECT_EQ(guarded(text), "withheld") << text;
  }
}

TEST(Candidate, ARelayIsOneOfOursAndNotWhatItsOwnerCallsSo) {
  const Address ours = *Address::parse("203.0.113.5:50000");
  const IsOwnRelay is_own_relay = [&](const Address& address) { return address == ours; };
  const auto passes = [&](const std::string& place) {
    return guarded_relay_candidate("candidate:1 1 udp 1 " + place + " typ relay", is_own_relay).has_value();
  };
  EXPECT_TRUE(passes("203.0.113.5 50000"));
  EXPECT_FALSE(passes("203.0.113.5 50001"));
  EXPECT_FALSE(passes("203.0.113.6 50000"));
  EXPECT_FALSE(passes("198.51.100.66 50000"));
  EXPECT_FALSE(guarded_relay_candidate("candidate:1 1 udp 1 203.0.113.5 50000 typ relay", {}))
      << "without a relay there is none";
}

}  // namespace
}  // namespace offhook::sdp
