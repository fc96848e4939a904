#include "session_mutator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size, std::size_t max_size);

namespace offhook::fuzz {
namespace {

// $c a call, $u a user, $g a generation, $r a room, $m what a side sends, $s a description, $k a candidate.
constexpr std::array kMessages{
    R"("type":"dial","call":"$c","to":"$u","media":$m})",
    R"("type":"dial","call":"$c","to":"$u","media":$m,"room":"$r"})",
    R"("type":"offer","call":"$c","generation":$g,"sdp":"$s"})",
    R"("type":"offer","call":"$c","generation":$g,"sdp":"$s","fresh":true})",
    R"("type":"answer","call":"$c","generation":$g,"sdp":"$s"})",
    R"("type":"ice-candidate","call":"$c","generation":$g,"candidate":{"candidate":"$k","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"u"}})",
    R"("type":"ringing","call":"$c"})",
    R"("type":"accept","call":"$c","media":$m})",
    R"("type":"reject","call":"$c","reason":"declined"})",
    R"("type":"reject","call":"$c","reason":"busy","here":true})",
    R"("type":"hangup","call":"$c"})",
    R"("type":"hangup","call":"$c","reason":"ice_failed"})",
    R"("type":"connected","call":"$c","time_to_connect_ms":300})",
    R"("type":"snapshot","call":"$c","peer":"$u","role":"caller","state":"ringing","media":$m,"generation":$g,"age_ms":200})",
    R"("type":"snapshot","call":"$c","peer":"$u","role":"callee","state":"connected","media":$m,"generation":$g})",
    R"("type":"snapshot","call":"$c","peer":"$u","role":"caller","state":"ended","reason":"hangup","accepted":true})",
    R"("type":"state","call":"$c","media":$m,"hold":true})",
    R"("type":"take","call":"$c","media":$m})",
    R"("type":"elsewhere"})",
    R"("type":"join","room":"$r"})",
    R"("type":"leave","room":"$r"})",
    R"("type":"block","user":"$u"})",
    R"("type":"unblock","user":"$u"})",
    R"("type":"bye"})",
};
constexpr std::array kCalls{"c_1xxxxxxxxxxxxxxxxxxxxxx", "c_2xxxxxxxxxxxxxxxxxxxxxx",
                            "c_3xxxxxxxxxxxxxxxxxxxxxx"};
constexpr std::array kUsers{"alice", "bob", "carol"};
constexpr std::array kGenerations{"0", "1", "2", "3"};
constexpr std::array kRooms{"r1", "r2"};
constexpr std::array kMedia{R"({"audio":true,"video":false})", R"({"audio":true,"video":true})"};
constexpr std::array kDescriptions{
    "v=0", R"(v=0\r\na=ice-ufrag:u\r\n)",
    R"(v=0\r\na=ice-ufrag:u\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\na=candidate:2 1 udp 1 203.0.113.5 6 typ relay raddr 192.0.2.1 rport 5\r\na=end-of-candidates\r\n)"};
constexpr std::array kCandidates{"", "candidate:1 1 udp 1 192.0.2.1 5 typ host",
                                 "candidate:1 1 udp 1 203.0.113.5 6 typ relay raddr 192.0.2.1 rport 5",
                                 "candidate:1 1 udp 1 203.0.113.7 8 typ relay raddr 192.0.2.9 rport 5"};
constexpr std::array kTimes{"=1", "=60", "=999", "=5000", "=10001", "=30000", "=46000"};

using Dice = std::minstd_rand;

std::size_t below(Dice& dice, std::size_t limit) { return dice() % limit; }

template <typename List>
std::string_view one_of(const List& list, Dice& dice) {
  return list[below(dice, list.size())];
}

std::string_view meaning(char placeholder, Dice& dice) {
  switch (placeholder) {
    case 'c':
      return one_of(kCalls, dice);
    case 'u':
      return one_of(kUsers, dice);
    case 'g':
      return one_of(kGenerations, dice);
    case 'r':
      return one_of(kRooms, dice);
    case 'm':
      return one_of(kMedia, dice);
    case 's':
      return one_of(kDescriptions, dice);
    default:
      return one_of(kCandidates, dice);
  }
}

std::string message_line(Dice& dice) {
  std::string line(1, "ABC"[below(dice, 3)]);
  const std::string_view pattern = one_of(kMessages, dice);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '$') {
      line += meaning(pattern[++i], dice);
    } else {
      line += pattern[i];
    }
  }
  return line;
}

std::string any_line(Dice& dice) {
  switch (below(dice, 12)) {
    case 0:
      return std::string("-") + "abc"[below(dice, 3)];
    case 1:
      return std::string("+") + "abc"[below(dice, 3)];
    case 2:
      return std::string(one_of(kTimes, dice));
    case 3:
      return std::string(1, "*!"[below(dice, 2)]) + std::string(one_of(kCalls, dice));
    default:
      return message_line(dice);
  }
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void change(std::vector<std::string>& lines, Dice& dice) {
  const auto place = [&] { return lines.begin() + static_cast<std::ptrdiff_t>(below(dice, lines.size())); };
  const std::size_t what = lines.empty() ? 0 : below(dice, 8);
  switch (what) {
    case 0:
      lines.push_back(any_line(dice));
      break;
    case 1:
    case 2:
    case 3:
      lines.insert(place(), any_line(dice));
      break;
    case 4:
      lines.erase(place());
      break;
    case 5:
      lines.insert(place(), std::string(*place()));
      break;
    case 6:
      std::swap(*place(), *place());
      break;
    default:
      *place() = any_line(dice);
      break;
  }
}

}  // namespace

std::size_t mutate_session(std::uint8_t* bytes, std::size_t size, std::size_t max_size, unsigned int seed) {
  Dice dice(seed);
  if (below(dice, 2) == 0) return LLVMFuzzerMutate(bytes, size, max_size);
  auto lines = lines_of({reinterpret_cast<const char*>(bytes), size});
  for (std::size_t times = 1 + below(dice, 4); times > 0; --times) change(lines, dice);
  std::size_t written = 0;
  for (const std::string& line : lines) {
    if (written + line.size() + 1 > max_size) break;
    std::memcpy(bytes + written, line.data(), line.size());
    written += line.size();
    bytes[written++] = '\n';
  }
  return written;
}

}  // namespace offhook::fuzz
