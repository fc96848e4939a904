// While a call rings nobody learns where the other is: not a callee who does not accept, and not a caller
// before somebody does. Every address but those of relays is of networks that the frames are searched for.

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

// 192.0.2.0/24 and 2001:db8::/32 stand for where people are; relays are at 203.0.113.0/24 and 2001:2::/48.
const std::string kSecrets[] = {"192.0.2.", "2001:db8:", "2001:DB8:", "secret"};

// As Chromium writes it: names before candidates, BUNDLE with the candidates in the first section, ICE TCP.
const std::string kChromium =
    "v=0\r\no=- 4611731400430051336 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n"
    "a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n"
    "m=audio 51234 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 192.0.2.2\r\na=rtcp:51235 IN IP4 192.0.2.3\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.4 51234 typ host generation 0 network-id 1 network-cost 10\r\n"
    "a=candidate:2 1 udp 2122194687 2001:db8::4 51235 typ host generation 0 network-id 2\r\n"
    "a=candidate:3 1 tcp 1518280447 192.0.2.5 9 typ host tcptype active generation 0 network-id 1\r\n"
    "a=candidate:4 1 udp 1685921535 192.0.2.6 51236 typ srflx raddr 192.0.2.4 rport 51234 generation 0\r\n"
    "a=candidate:5 1 udp 41885439 203.0.113.5 50000 typ relay raddr 192.0.2.6 rport 51236 generation 0\r\n"
    "a=candidate:6 1 udp 41885438 2001:2::5 50001 typ relay raddr 2001:db8::6 rport 51237 generation 0\r\n"
    "a=ice-ufrag:Ab+/\r\na=ice-pwd:0123456789012345678901\r\na=ice-options:trickle\r\n"
    "a=fingerprint:sha-256 "
    "11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:"
    "DD:EE:FF:00\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=ssrc:1 cname:x@192.0.2.7\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:Ab+/\r\na=mid:1\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP6 "
    "2001:db8::8\r\na=ice-ufrag:Ab+/\r\na=mid:2\r\n";

// As Firefox does: mDNS names, end-of-candidates, a=mid after the candidates, candidates in each section.
const std::string kFirefox =
    "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 5 0 IN IP6 2001:db8::1\r\ns=-\r\nt=0 0\r\n"
    "a=fingerprint:sha-256 "
    "11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:"
    "DD:EE:FF:00\r\na=group:BUNDLE 0 1\r\na=ice-options:trickle\r\n"
    "m=audio 45000 UDP/TLS/RTP/SAVPF 109\r\nc=IN IP6 2001:db8::2\r\n"
    "a=candidate:0 1 UDP 2122252543 secret-5a6c1f.local 45000 typ host\r\n"
    "a=candidate:1 1 TCP 2105524479 secret-5a6c1f.local 9 typ host tcptype active\r\n"
    "a=candidate:2 1 UDP 1686052863 192.0.2.3 45000 typ srflx raddr 0.0.0.0 rport 0\r\n"
    "a=candidate:3 1 UDP 92217343 203.0.113.6 50002 typ relay raddr 192.0.2.3 rport 45000\r\n"
    "a=end-of-candidates\r\na=ice-ufrag:cd12\r\na=mid:0\r\na=rtcp:45001 IN IP6 2001:db8::3\r\n"
    "m=video 45002 UDP/TLS/RTP/SAVPF 120\r\nc=IN IP4 192.0.2.4\r\n"
    "a=candidate:2 1 UDP 1686052863 192.0.2.4 45002 typ srflx raddr 0.0.0.0 rport 0\r\n"
    "a=ice-ufrag:cd12\r\na=mid:1\r\na=rtcp:45003 IN IP4 192.0.2.5\r\n";

// As webrtcbin does: bare LF, ICE-lite here, names as mids; and lines that nobody should write.
const std::string kWebrtcbin =
    "v=0\no=- 8 0 IN IP4 secret.example.org\ns=-\ni=from 192.0.2.9\nu=http://[2001:db8::9]/\nt=0 "
    "0\na=ice-lite\n"
    "m=audio 40000/2 UDP/TLS/RTP/SAVPF 97\nc=IN IP4 192.0.2.10/127/2\na=mid:audio0\na=ice-ufrag:gst\n"
    "a=candidate:1 1 UDP 2015363327 192.0.2.11 40000 typ host\n"
    "a=candidate:2 1 TCP 1015021823 192.0.2.11 9 typ host tcptype active\n"
    "a=candidate:30 1 UDP 503316991 203.0.113.7 50003 typ relay raddr 192.0.2.11 rport 40000\n"
    "a=candidate:31 1 UDP 503316991 203.0.113.7 50003 typ relay raddr 192.0.2.11 rport 1 x-at secret.local\n"
    "a=candidate 192.0.2.12\na=candidate:1 1 UDP 1 192.0.2.12 99999 typ relay\n"
    "a=candidate:1 1 UDP 1 secret.local 5 typ relay\na=candidate:1  1 UDP 1 192.0.2.12 5 typ relay\n"
    " a=candidate:1 1 udp 1 192.0.2.13 5 typ host\nA=candidate:1 1 udp 1 192.0.2.13 5 typ host\n"
    "a=remote-candidates:1 192.0.2.14 5\na=rtcp:5 IN IP4 secret.example.org\n"
    "s=x\ra=candidate:1 1 udp 1 192.0.2.15 5 typ host\rc=IN IP6 2001:db8::15";

const std::string kDescriptions[] = {kChromium, kFirefox, kWebrtcbin};

std::string escaped(const std::string& sdp) {
  const std::string quoted = json::Writer().string(sdp).take();
  return quoted.substr(1, quoted.size() - 2);
}

// Every candidate line of a description, trickled; marked, since the same one in the description is another.
void trickle(Exchange& exchange, Device& device, int generation, const std::string& sdp) {
  std::size_t at = 0;
  while ((at = sdp.find("candidate", at)) != std::string::npos) {
    const std::size_t end = std::min(sdp.find_first_of("\r\n", at), sdp.size());
    exchange.send(device, candidate("1", generation, escaped(sdp.substr(at, end - at)) + " trickled 1"));
    at = end;
  }
  if (sdp.find("a=end-of-candidates") == std::string::npos)
    exchange.send(device, candidate("1", generation, ""));
}

void expect_nothing_told(const Device& device) {
  for (const std::string& frame : device.frames) {
    for (const std::string& secret : kSecrets)
      EXPECT_EQ(frame.find(secret), std::string::npos) << secret << " in " << frame;
  }
}

std::size_t told_relays(const Device& device) {
  std::size_t count = 0;
  for (const std::string& frame : device.frames) {
    const bool tells =
        frame.find("203.0.113.") != std::string::npos || frame.find("2001:2::") != std::string::npos;
    count += tells ? 1U : 0U;
  }
  return count;
}

enum class End { declined, timeout, elsewhere, accepted };

void expect_protection(WarmPath warm_path, const std::string& sdp, End end) {
  Exchange exchange;
  Device& alice = exchange.add("alice", warm_path);
  Device& phone = exchange.add("bob");
  Device& laptop = exchange.add("bob");
  exchange.send(alice, dial("1", "bob"));
  trickle(exchange, alice, 0, sdp);
  exchange.send(alice, offer("1", 0, escaped(sdp)));
  exchange.send(phone, ringing("1"));
  trickle(exchange, phone, 0, sdp);
  exchange.send(phone, answer("1", 0, escaped(sdp)));
  exchange.send(laptop, answer("1", 0, escaped(sdp)));
  trickle(exchange, laptop, 0, sdp);
  Device& tablet = exchange.add("bob");
  // Repair, from either side.
  exchange.send(alice, offer("1", 1, escaped(sdp)));
  trickle(exchange, alice, 1, sdp);
  exchange.send(phone, answer("1", 1, escaped(sdp)));
  exchange.send(phone, offer("1", 2, escaped(sdp)));
  trickle(exchange, phone, 2, sdp);
  exchange.send(alice, answer("1", 2, escaped(sdp)));
  exchange.cut(alice);
  exchange.connect(alice);
  expect_nothing_told(alice);
  EXPECT_GT(told_relays(phone), 0U) << "the path can be warmed";
  EXPECT_EQ(told_relays(alice) > 0, warm_path == WarmPath::relay);
  if (end == End::declined) exchange.send(phone, reject("1", "declined"));
  if (end == End::timeout) exchange.advance_alive(seconds(46));
  if (end == End::elsewhere) exchange.send(laptop, accept("1"));
  if (end == End::accepted) exchange.send(phone, accept("1"));
  expect_nothing_told(tablet);
  if (end == End::accepted) {
    // What was withheld is there after all, so that the search above could have found it.
    EXPECT_NE(phone.frames.back().find("candidate"), std::string::npos);
    bool told = false;
    for (const std::string& frame : phone.frames) told = told || frame.find("192.0.2.") != std::string::npos;
    EXPECT_TRUE(told);
  } else {
    expect_nothing_told(phone);
    expect_nothing_told(alice);
  }
  if (end != End::elsewhere) expect_nothing_told(laptop);
  exchange.check();
}

TEST(Protection, NobodyLearnsWhereTheOtherIsBeforeAccept) {
  for (const WarmPath warm_path : {WarmPath::relay, WarmPath::off}) {
    for (const std::string& sdp : kDescriptions) {
      for (const End end : {End::declined, End::timeout, End::elsewhere, End::accepted}) {
        SCOPED_TRACE(std::string(name(warm_path)) + ", " + std::to_string(static_cast<int>(end)) + ", " +
                     sdp.substr(0, 60));
        expect_protection(warm_path, sdp, end);
      }
    }
  }
}

TEST(Protection, NobodyIsIntroducedToMoreThanTheyAreTold) {
  for (const std::string& sdp : kDescriptions) {
    Exchange exchange;
    Device& alice = exchange.add("alice", WarmPath::relay);
    Device& bob = exchange.add("bob");
    exchange.send(alice, dial("1", "bob"));
    exchange.send(alice, offer("1", 0, escaped(sdp)));
    trickle(exchange, alice, 0, sdp);
    exchange.send(bob, answer("1", 0, escaped(sdp)));
    EXPECT_FALSE(exchange.introductions.empty());
    for (const std::string& introduction : exchange.introductions) {
      for (const std::string& secret : kSecrets)
        EXPECT_EQ(introduction.find(secret), std::string::npos) << introduction;
    }
  }
}

}  // namespace
}  // namespace offhook::call
