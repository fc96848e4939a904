#include "wire/sdp/description.h"

#include <gtest/gtest.h>

namespace offhook::sdp {
namespace {

Guarded guard(std::string_view text) {
  return sdp::guard(text, [](const Address&) { return true; });
}

TEST(Description, ARelayThatIsNotOursIsCut) {
  const Address ours = *Address::parse("203.0.113.5:50000");
  const std::string own = "a=candidate:1 1 udp 1 203.0.113.5 50000 typ relay raddr 0.0.0.0 rport 0\n";
  const std::string stranger = "candidate:2 1 udp 1 198.51.100.66 50000 typ relay raddr 0.0.0.0 rport 0";
  const Guarded guarded = sdp::guard("m=audio 9 X 0\n" + own + "a=" + stranger + "\n",
                                     [&](const Address& address) { return address == ours; });
  EXPECT_EQ(guarded.sdp, "m=audio 9 X 0\n" + own);
  ASSERT_EQ(guarded.cut.size(), 1U);
  EXPECT_EQ(guarded.cut[0].candidate, stranger);
}

TEST(Description, IsGuardedLineByLine) {
  const Guarded guarded = guard(
      "v=0\r\n"
      "o=- 46 2 IN IP4 10.0.0.7\r\n"
      "s=-\r\n"
      "t=0 0\r\n"
      "a=group:BUNDLE 0 1\r\n"
      "m=audio 51234 UDP/TLS/RTP/SAVPF 111\r\n"
      "c=IN IP4 198.51.100.7\r\n"
      "a=rtcp:51235 IN IP4 198.51.100.7\r\n"
      "a=candidate:1 1 udp 2122260223 10.0.0.7 51234 typ host\r\n"
      "a=candidate:2 1 udp 41885439 203.0.113.5 50000 typ relay raddr 198.51.100.7 rport 51234\r\n"
      "a=ice-ufrag:UUUU\r\n"
      "a=mid:0\r\n"
      "a=end-of-candidates\r\n"
      "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"
      "c=IN IP6 2001:db8::7\r\n"
      "a=mid:1\r\n"
      "a=fingerprint:sha-256 11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:"
      "11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00\r\n");
  EXPECT_EQ(guarded.sdp,
            "v=0\r\n"
            "o=- 46 2 IN IP4 127.0.0.1\r\n"
            "s=-\r\n"
            "t=0 0\r\n"
            "a=group:BUNDLE 0 1\r\n"
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
            "c=IN IP4 0.0.0.0\r\n"
            "a=rtcp:9 IN IP4 0.0.0.0\r\n"
            "a=candidate:2 1 udp 41885439 203.0.113.5 50000 typ relay raddr 0.0.0.0 rport 0\r\n"
            "a=ice-ufrag:UUUU\r\n"
            "a=mid:0\r\n"
            "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"
            "c=IN IP4 0.0.0.0\r\n"
            "a=mid:1\r\n"
            "a=fingerprint:sha-256 11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:"
            "11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00\r\n");
  const std::vector<CutCandidate> expected = {
      {"candidate:1 1 udp 2122260223 10.0.0.7 51234 typ host", "0", std::uint16_t{0}, "UUUU"},
      {"", "0", std::uint16_t{0}, "UUUU"}};
  EXPECT_EQ(guarded.cut, expected);
}

TEST(Description, ACutCandidateKnowsItsSectionWhereverItsNamesStand) {
  const Guarded guarded = guard(
      "a=ice-ufrag:session\n"
      "m=audio 9 X 0\na=candidate:first\na=mid:a\n"
      "m=video 9 X 0\na=ice-ufrag:own\na=candidate:second\na=end-of-candidates\n"
      "m=application 9 X 0\na=mid:c\na=candidate:third\n");
  const std::vector<CutCandidate> expected = {{"candidate:first", "a", std::uint16_t{0}, "session"},
                                              {"candidate:second", std::nullopt, std::uint16_t{1}, "own"},
                                              {"", std::nullopt, std::uint16_t{1}, "own"},
                                              {"candidate:third", "c", std::uint16_t{2}, "session"}};
  EXPECT_EQ(guarded.cut, expected);
  EXPECT_EQ(guarded.sdp,
            "a=ice-ufrag:session\nm=audio 9 X 0\na=mid:a\nm=video 9 X 0\na=ice-ufrag:own\n"
            "m=application 9 X 0\na=mid:c\n");
}

TEST(Description, WhatStandsBeforeTheFirstSectionIsOfTheSession) {
  const Guarded guarded = guard("v=0\na=candidate:early\na=end-of-candidates\nm=audio 5 X 0\na=mid:0\n");
  const std::vector<CutCandidate> expected = {
      {"candidate:early", std::nullopt, std::uint16_t{0}, std::nullopt},
      {"", std::nullopt, std::nullopt, std::nullopt}};
  EXPECT_EQ(guarded.cut, expected);
}

TEST(Description, EveryKindOfLineEndStays) {
  EXPECT_EQ(guard("v=0\nc=x\r\nc=y\rc=z").sdp, "v=0\nc=IN IP4 0.0.0.0\r\nc=IN IP4 0.0.0.0\rc=IN IP4 0.0.0.0");
  EXPECT_EQ(guard("").sdp, "");
  EXPECT_EQ(guard("\r\n\n\r").sdp, "\r\n\n\r");
  EXPECT_EQ(guard("s=x\ra=candidate:1 1 udp 1 10.0.0.7 1 typ host").sdp, "s=x\r");
}

TEST(Description, PortsOfMediaBecomeTheDiscardPort) {
  EXPECT_EQ(guard("m=audio 49170 RTP/AVP 0").sdp, "m=audio 9 RTP/AVP 0");
  EXPECT_EQ(guard("m=audio 49170/2 RTP/AVP 0").sdp, "m=audio 9 RTP/AVP 0");
  EXPECT_EQ(guard("m=audio 0 RTP/AVP 0").sdp, "m=audio 0 RTP/AVP 0");
  EXPECT_EQ(guard("m=audio 49170").sdp, "m=audio 9");
  EXPECT_EQ(guard("m=audio").sdp, "m=audio");
  EXPECT_EQ(guard("m=").sdp, "m=");
}

TEST(Description, TheOriginIsTheSameBeforeAndAfterAccept) {
  for (const std::string line :
       {"o=- 4611731400430051336 2 IN IP4 127.0.0.1", "o=mozilla...THIS_IS_SDPARTA-99.0 4 0 IN IP4 0.0.0.0",
        "o=- 1 2 IN IP6 2001:db8::7", "o=- 1 2 IN IP4 laptop.example.org",
        "o=user@10.0.0.7 1 2 IN IP4 10.0.0.7", "o=- 1 2", "o=", "o=10.0.0.7",
        "o=- 1 2 IN IP4 10.0.0.7 and more"}) {
    const std::string plain = with_plain_origin(line);
    EXPECT_EQ(guard(line).sdp, plain);
    EXPECT_TRUE(plain.ends_with(" IN IP4 127.0.0.1")) << plain;
    EXPECT_EQ(plain.find("10.0.0.7"), std::string::npos) << plain;
  }
  EXPECT_EQ(with_plain_origin("v=0\r\no=- 1 2 IN IP6 ::1\r\nc=IN IP4 10.0.0.7\r\n"),
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nc=IN IP4 10.0.0.7\r\n");
}

TEST(Description, NoOtherLineKeepsAnAddress) {
  EXPECT_EQ(guard("a=ssrc:7 cname:user@10.0.0.7").sdp, "a=ssrc:7 cname:user@0.0.0.0");
  EXPECT_EQ(guard("a=ssrc:7 cname:10.0.0.7").sdp, "a=ssrc:7 cname:0.0.0.0");
  EXPECT_EQ(guard("u=http://[2001:db8::7]/x").sdp, "u=http://[::]/x");
  EXPECT_EQ(guard("a=x:2001:db8::7").sdp, "a=x:::");
  EXPECT_EQ(guard("i=at 10.0.0.7.").sdp, "i=at 0.0.0.0.");
  EXPECT_EQ(guard("a=remote-candidates:1 10.0.0.7 9 2 ::ffff:10.0.0.8 9").sdp,
            "a=remote-candidates:1 0.0.0.0 9 2 :: 9");
  EXPECT_EQ(guard(" a=rtcp:5 IN IP4 10.0.0.7").sdp, " a=rtcp:5 IN IP4 0.0.0.0");
}

TEST(Description, WhatLooksLikeACandidateIsCut) {
  for (const char* line : {" a=candidate:1 1 udp 1 10.0.0.7 1 typ host", "A=CANDIDATE:1", "a=candidate",
                           "a=candidate:", "a=candidate x.local", "\ta=Candidate:1 y.local"}) {
    EXPECT_EQ(guard("m=a 1 b\n" + std::string(line) + "\n").sdp, "m=a 9 b\n") << line;
    EXPECT_EQ(guard(line).cut.size(), 1U) << line;
  }
}

TEST(Description, OtherLinesStayAsTheyAre) {
  const std::string sdp =
      "v=0\ns=-\nt=0 0\na=msid-semantic:  WMS *\na=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\n"
      "a=ice-ufrag:fe80\na=ice-pwd:aB+/d\na=fmtp:97 apt=96;x=1.2.3\na=ssrc:1 cname:abcDEF\na=sctp-port:5000\n"
      "a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\n";
  EXPECT_EQ(guard(sdp).sdp, sdp);
  EXPECT_TRUE(guard(sdp).cut.empty());
  EXPECT_EQ(with_plain_origin(sdp), sdp);
}

TEST(Description, NamesTheAddressesOfItsUdpCandidates) {
  const std::string sdp =
      "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\na=candidate:1 1 tcp 1 192.0.2.2 9 typ host\n"
      "a=candidate:1 1 udp 1 x.local 5000 typ host\na=candidate:broken 192.0.2.3\n"
      "a=candidate:1 1 UDP 1 2001:db8::1 5001 typ srflx raddr 192.0.2.4 rport 1\n";
  const std::vector<Address> all = {*Address::parse("192.0.2.1:5000"), *Address::parse("[2001:db8::1]:5001")};
  EXPECT_EQ(candidate_addresses(sdp, 100), all);
  EXPECT_EQ(candidate_addresses(sdp, 1).size(), 1U);
}

}  // namespace
}  // namespace offhook::sdp
