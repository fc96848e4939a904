#include "wire/sdp/description.h"

#include <algorithm>

#include "wire/sdp/candidate.h"

namespace offhook::sdp {
namespace {

constexpr std::string_view kCandidateLine = "a=candidate";
constexpr std::string_view kEndOfCandidatesLine = "a=end-of-candidates";

struct Line {
  std::string_view text;
  std::string_view end;  // "\r\n", "\n", "\r", or nothing at the end
};

bool ends_line(char letter) { return letter == '\r' || letter == '\n'; }

// Takes the first line off `rest`. A lone CR ends a line as well: some parsers think so. (find_first_of()
// would search its set anew for each letter, and descriptions are most of what a server reads.)
Line take_line(std::string_view& rest) {
  const auto size =
      static_cast<std::size_t>(std::find_if(rest.begin(), rest.end(), ends_line) - rest.begin());
  const std::string_view text = rest.substr(0, size);
  rest.remove_prefix(size);
  const std::size_t end_size = rest.starts_with("\r\n") ? 2 : std::min<std::size_t>(rest.size(), 1);
  const std::string_view end = rest.substr(0, end_size);
  rest.remove_prefix(end_size);
  return {text, end};
}

template <typename Visit>
void for_each_line(std::string_view sdp, Visit visit) {
  while (!sdp.empty()) visit(take_line(sdp));
}

std::string_view without_blanks_in_front(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

// With blanks in front and in any case, so that nothing that some parser takes for a candidate is overlooked.
bool begins_like(std::string_view text, std::string_view lower) {
  text = without_blanks_in_front(text);
  if (text.size() < lower.size()) return false;
  return std::equal(lower.begin(), lower.end(), text.begin(), [](char small, char letter) {
    return small == (letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  });
}

std::optional<std::string_view> value_after(std::string_view line, std::string_view label) {
  if (!line.starts_with(label)) return std::nullopt;
  return line.substr(label.size());
}

// What names a media section, or the session.
struct Section {
  std::optional<std::string_view> mid;
  std::optional<std::string_view> ufrag;
};

// The session first, then the media sections.
std::vector<Section> sections_of(std::string_view sdp) {
  std::vector<Section> sections(1);
  for_each_line(sdp, [&sections](const Line& line) {
    if (line.text.starts_with("m=")) sections.emplace_back();
    Section& section = sections.back();
    if (const auto mid = value_after(line.text, "a=mid:"); mid && !section.mid) section.mid = mid;
    if (const auto ufrag = value_after(line.text, "a=ice-ufrag:"); ufrag && !section.ufrag)
      section.ufrag = ufrag;
  });
  return sections;
}

std::optional<std::string> owned(std::optional<std::string_view> text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}

CutCandidate cut_line(std::string_view line, const std::vector<Section>& sections, std::size_t section) {
  CutCandidate cut;
  cut.mid = owned(sections[section].mid);
  cut.ufrag = owned(sections[section].ufrag ? sections[section].ufrag : sections[0].ufrag);
  const bool is_end = begins_like(line, kEndOfCandidatesLine);
  if (!is_end) cut.candidate = line.substr(line.find('=') + 1);
  // A candidate that stands before the first section is of the first one, if of any.
  if (section > 0 || !is_end)
    cut.m_line_index =
        static_cast<std::uint16_t>(std::min<std::size_t>(section == 0 ? 0 : section - 1, UINT16_MAX));
  return cut;
}

bool is_ipv4_letter(char letter) { return (letter >= '0' && letter <= '9') || letter == '.'; }
bool is_ipv6_letter(char letter) {
  return is_ipv4_letter(letter) || (letter >= 'a' && letter <= 'f') || (letter >= 'A' && letter <= 'F') ||
         letter == ':';
}

// The next run of such letters in `text` from `at`.
struct Run {
  std::size_t begin = 0;
  std::size_t end = 0;
};
template <typename IsLetter>
std::optional<Run> next_run(std::string_view text, std::size_t at, IsLetter is_letter) {
  while (at < text.size() && !is_letter(text[at])) ++at;
  if (at == text.size()) return std::nullopt;
  std::size_t end = at;
  while (end < text.size() && is_letter(text[end])) ++end;
  return Run{at, end};
}

// Most lines have neither, which is told sooner than an address is parsed.
bool may_be_ipv4(std::string_view text) { return std::count(text.begin(), text.end(), '.') >= 3; }
bool may_be_ipv6(std::string_view text) { return std::count(text.begin(), text.end(), ':') >= 2; }

std::string without_ipv4(std::string_view text) {
  if (!may_be_ipv4(text)) return std::string(text);
  std::string out;
  std::size_t copied = 0;
  for (auto run = next_run(text, 0, is_ipv4_letter); run; run = next_run(text, run->end, is_ipv4_letter)) {
    std::string_view number = text.substr(run->begin, run->end - run->begin);
    const std::size_t first = std::min(number.find_first_not_of('.'), number.size());
    number.remove_prefix(first);
    while (!number.empty() && number.back() == '.') number.remove_suffix(1);
    const auto ip = Ip::parse(number);
    if (!ip) continue;
    out += text.substr(copied, run->begin + first - copied);
    out += "0.0.0.0";
    copied = run->begin + first + number.size();
  }
  return out += text.substr(copied);
}

// A run is tried whole, and behind its first colon ("a=x-host:2001:db8::1"); no further, since the end of a
// fingerprint would look like an address.
std::string without_ipv6(std::string_view text) {
  if (!may_be_ipv6(text)) return std::string(text);
  std::string out;
  std::size_t copied = 0;
  for (auto run = next_run(text, 0, is_ipv6_letter); run; run = next_run(text, run->end, is_ipv6_letter)) {
    const std::string_view whole = text.substr(run->begin, run->end - run->begin);
    if (!may_be_ipv6(whole)) continue;
    const std::size_t colon = whole.find(':');
    std::size_t begin = run->begin;
    auto ip = Ip::parse(whole);
    if (!ip) {
      begin += colon + 1;
      ip = Ip::parse(whole.substr(colon + 1));
    }
    if (!ip || ip->is_v4()) continue;
    out += text.substr(copied, begin - copied);
    out += "::";
    copied = run->end;
  }
  return out += text.substr(copied);
}

std::string without_addresses(std::string_view line) {
  if (line.starts_with("a=fingerprint:")) return std::string(line);
  return without_ipv4(without_ipv6(line));
}

// o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>
std::string plain_origin(std::string_view line) {
  std::size_t end = 0;  // of the third field
  for (int field = 0; field < 3 && end != std::string_view::npos; ++field) end = line.find(' ', end + 1);
  if (end == std::string_view::npos) return "o=- 0 0 IN IP4 127.0.0.1";
  return without_addresses(line.substr(0, end)) + " IN IP4 127.0.0.1";
}

// m=<media> <port>[/<number of ports>] <proto> <fmt> ...
std::string plain_media(std::string_view line) {
  const std::size_t port = std::min(line.find(' '), line.size() - 1) + 1;
  const std::size_t end = std::min(line.find(' ', port), line.size());
  const std::string_view text = line.substr(port, end - port);
  if (text.empty() || text == "0") return std::string(line);
  return std::string(line.substr(0, port)) + "9" + std::string(line.substr(end));
}

// Nothing in it has to change: most lines of a description.
bool is_plain(std::string_view line) {
  const bool is_changed = line.starts_with("o=") || line.starts_with("c=") || line.starts_with("m=") ||
                          line.starts_with("a=rtcp:");
  return !is_changed && !may_be_ipv4(line) && !may_be_ipv6(line);
}

std::string guarded_line(std::string_view line) {
  if (line.starts_with("o=")) return plain_origin(line);
  if (line.starts_with("c=")) return "c=IN IP4 0.0.0.0";
  if (line.starts_with("a=rtcp:")) return "a=rtcp:9 IN IP4 0.0.0.0";
  if (line.starts_with("m=")) return without_addresses(plain_media(line));
  return without_addresses(line);
}

}  // namespace

Guarded guard(std::string_view sdp, const IsOwnRelay& is_own_relay) {
  const std::vector<Section> sections = sections_of(sdp);
  Guarded guarded;
  guarded.sdp.reserve(sdp.size());
  std::size_t section = 0;
  for_each_line(sdp, [&](const Line& line) {
    if (line.text.starts_with("m=")) section += 1;
    std::string changed;
    std::string_view text = line.text;
    if (begins_like(line.text, kCandidateLine)) {
      auto relay = guarded_relay_candidate(without_blanks_in_front(line.text), is_own_relay);
      if (!relay) {
        guarded.cut.push_back(cut_line(line.text, sections, section));
        return;
      }
      text = changed = std::move(*relay);
    } else if (begins_like(line.text, kEndOfCandidatesLine)) {
      guarded.cut.push_back(cut_line(line.text, sections, section));
      return;
    } else if (!is_plain(line.text)) {
      text = changed = guarded_line(line.text);
    }
    guarded.sdp += text;
    guarded.sdp += line.end;
  });
  return guarded;
}

std::string with_plain_origin(std::string_view sdp) {
  std::string out;
  out.reserve(sdp.size());
  for_each_line(sdp, [&out](const Line& line) {
    out += line.text.starts_with("o=") ? plain_origin(line.text) : std::string(line.text);
    out += line.end;
  });
  return out;
}

std::vector<Address> candidate_addresses(std::string_view sdp, std::size_t limit) {
  std::vector<Address> addresses;
  for_each_line(sdp, [&](const Line& line) {
    if (addresses.size() >= limit || !line.text.starts_with(kCandidateLine)) return;
    const auto candidate = parse_candidate(line.text);
    if (!candidate || candidate->transport != Transport::udp) return;
    if (const auto address = candidate->address()) addresses.push_back(*address);
  });
  return addresses;
}

}  // namespace offhook::sdp
