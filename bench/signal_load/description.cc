#include "signal_load/description.h"

#include <fmt/format.h>

#include <array>

namespace offhook::bench {
namespace {

constexpr std::size_t kAudioCodecs = 8;
constexpr std::size_t kVideoCodecs = 18;
constexpr std::size_t kExtensions = 12;

using Lines = fmt::memory_buffer;

template <typename... Arguments>
void line(Lines& lines, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  fmt::format_to(std::back_inserter(lines), text, std::forward<Arguments>(arguments)...);
  lines.append(std::string_view(R"(\r\n)"));
}

void payload_types(Lines& lines, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) fmt::format_to(std::back_inserter(lines), " {}", 96 + i);
  lines.append(std::string_view(R"(\r\n)"));
}

void transport(Lines& lines, std::string_view ufrag, std::size_t section) {
  line(lines, "c=IN IP4 0.0.0.0");
  line(lines, "a=rtcp:9 IN IP4 0.0.0.0");
  line(lines, "a=ice-ufrag:{}", ufrag);
  line(lines, "a=ice-pwd:Q7wWmWz0o1Wv3mUJ1Yq8n2Rk");
  line(lines, "a=ice-options:trickle");
  line(lines, "a=fingerprint:sha-256 {:02X}{}", section,
       ":1F:5E:80:C4:7A:0B:D2:93:6C:E8:25:91:4D:BA:07:F3:68:DE:31:9C:52:A4:7F:0E:C9:83:16:6D:B8:42:F5");
  line(lines, "a=setup:actpass");
  line(lines, "a=mid:{}", section);
  for (std::size_t i = 1; i <= kExtensions; ++i) {
    line(lines, "a=extmap:{} urn:ietf:params:rtp-hdrext:an-extension-of-some-kind-{}", i, i);
  }
  line(lines, "a=sendrecv");
  line(lines, "a=rtcp-mux");
}

Lines description_of(std::string_view ufrag) {
  Lines lines;
  line(lines, "v=0");
  line(lines, "o=- 4611731400430051336 2 IN IP4 127.0.0.1");
  line(lines, "s=-");
  line(lines, "t=0 0");
  line(lines, "a=group:BUNDLE 0 1");
  line(lines, "a=msid-semantic: WMS stream");
  lines.append(std::string_view("m=audio 9 UDP/TLS/RTP/SAVPF"));
  payload_types(lines, kAudioCodecs);
  transport(lines, ufrag, 0);
  for (std::size_t i = 0; i < kAudioCodecs; ++i) {
    line(lines, "a=rtpmap:{} opus/48000/2", 96 + i);
    line(lines, "a=fmtp:{} minptime=10;useinbandfec=1", 96 + i);
  }
  lines.append(std::string_view("m=video 9 UDP/TLS/RTP/SAVPF"));
  payload_types(lines, kVideoCodecs);
  transport(lines, ufrag, 1);
  for (std::size_t i = 0; i < kVideoCodecs; ++i) {
    line(lines, "a=rtpmap:{} VP9/90000", 96 + i);
    line(lines, "a=rtcp-fb:{} goog-remb", 96 + i);
    line(lines, "a=rtcp-fb:{} transport-cc", 96 + i);
    line(lines, "a=rtcp-fb:{} ccm fir", 96 + i);
    line(lines, "a=rtcp-fb:{} nack pli", 96 + i);
    line(lines, "a=fmtp:{} profile-id=0", 96 + i);
  }
  line(lines, "a=ssrc:2231627014 cname:fX6s0f0zYxq8Lk1p");
  return lines;
}

constexpr std::string_view kStandIn = "XXXXXXXX";

std::string member_of(std::string_view ufrag, std::size_t foundation, std::string_view kind) {
  return fmt::format(
      R"("candidate":{{"candidate":"candidate:{} 1 {} generation 0 ufrag {} network-id 1","sdpMid":"0",)"
      R"("sdpMLineIndex":0,"usernameFragment":"{}"}})",
      foundation, kind, ufrag, ufrag);
}

}  // namespace

std::string ufrag_of(std::size_t call, char side) { return fmt::format("{}{:07x}", side, call % 0x10000000); }

std::string escaped_description(std::string_view ufrag) {
  // Written once: it is sent many thousand times.
  static const std::string kText = fmt::to_string(description_of(kStandIn));
  static const std::array<std::size_t, 2> kPlaces = {kText.find(kStandIn), kText.rfind(kStandIn)};
  std::string text = kText;
  for (const std::size_t place : kPlaces) text.replace(place, ufrag.size(), ufrag);
  return text;
}

std::string candidate_member(std::string_view ufrag, std::size_t index) {
  static constexpr std::array<std::string_view, kCandidates> kKinds = {
      "udp 2122260223 192.168.1.{} 5{}312 typ host",
      "udp 1686052607 203.0.113.{} 4{}871 typ srflx raddr 192.168.1.20 rport 51312",
      "udp 41885439 198.51.100.{} 5{}003 typ relay raddr 203.0.113.20 rport 41871",
      "udp 25108223 198.51.100.{} 5{}004 typ relay raddr 203.0.113.20 rport 41872"};
  if (index == kCandidates) {
    return fmt::format(
        R"("candidate":{{"candidate":"","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"{}"}})", ufrag);
  }
  return member_of(ufrag, index + 1, fmt::format(fmt::runtime(kKinds[index]), 20 + index, index));
}

std::string extra_candidate_member(std::string_view ufrag, std::size_t index) {
  return member_of(ufrag, index + 1, fmt::format("udp 2122260223 10.0.0.{} 51312 typ host", index + 1));
}

}  // namespace offhook::bench
