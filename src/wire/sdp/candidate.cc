#include "wire/sdp/candidate.h"

#include <algorithm>
#include <charconv>

namespace offhook::sdp {
namespace {

constexpr std::string_view kLabel = "candidate:";
constexpr std::string_view kAttribute = "a=";
constexpr std::size_t kMaxFoundation = 32;
constexpr std::uint32_t kMaxComponent = 256;
constexpr std::uint32_t kMaxPriority = 0x7FFF'FFFF;

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// RFC 8839 section 5.1: ice-char.
bool is_ice_char(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || is_digit(letter) ||
         letter == '+' || letter == '/';
}
bool is_ice_text(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_ice_char);
}
bool is_number_text(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}
bool is_visible(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char letter) { return letter > 0x20 && letter < 0x7F; });
}

bool equal_in_any_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char letter, char small) {
    return (letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter) == small;
  });
}

// Tokens with one space between them. Failure is sticky, as in base/bytes.h Reader.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::string_view take() {
    if (!first_) {
      if (rest_.empty() || rest_.front() != ' ') return stop();
      rest_.remove_prefix(1);
    }
    first_ = false;
    const std::string_view token = rest_.substr(0, rest_.find(' '));
    if (!is_visible(token)) return stop();
    rest_.remove_prefix(token.size());
    return token;
  }
  std::uint32_t take_number(std::uint32_t least, std::uint32_t most) {
    const std::string_view token = take();
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (error != std::errc{} || end != token.data() + token.size() || value < least || value > most) {
      (void)stop();
      return least;
    }
    return value;
  }

 private:
  std::string_view stop() {
    ok_ = false;
    rest_ = {};
    return {};
  }

  std::string_view rest_;
  bool ok_ = true;
  bool first_ = true;
};

CandidateType type_of(std::string_view text) {
  if (equal_in_any_case(text, "host")) return CandidateType::host;
  if (equal_in_any_case(text, "srflx")) return CandidateType::srflx;
  if (equal_in_any_case(text, "prflx")) return CandidateType::prflx;
  if (equal_in_any_case(text, "relay")) return CandidateType::relay;
  return CandidateType::other;
}

Transport transport_of(std::string_view text) {
  if (equal_in_any_case(text, "udp")) return Transport::udp;
  if (equal_in_any_case(text, "tcp")) return Transport::tcp;
  return Transport::other;
}

bool is_plain_extension(std::string_view extension, std::string_view value) {
  if (extension == "generation" || extension == "network-id" || extension == "network-cost")
    return is_number_text(value);
  return (extension == "ufrag" && is_ice_text(value)) ||
         (extension == "tcptype" && (value == "active" || value == "passive" || value == "so"));
}

}  // namespace

std::optional<Address> Candidate::address() const {
  const auto ip = Ip::parse(connection_address);
  if (!ip) return std::nullopt;
  return Address{*ip, port};
}

std::optional<Candidate> parse_candidate(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.starts_with(kAttribute)) text.remove_prefix(kAttribute.size());
  if (!text.starts_with(kLabel)) return std::nullopt;
  Tokens tokens(text.substr(kLabel.size()));
  Candidate candidate;
  candidate.foundation = tokens.take();
  candidate.component = static_cast<std::uint16_t>(tokens.take_number(1, kMaxComponent));
  candidate.transport_text = tokens.take();
  candidate.transport = transport_of(candidate.transport_text);
  candidate.priority = tokens.take_number(0, kMaxPriority);
  candidate.connection_address = tokens.take();
  candidate.port = static_cast<std::uint16_t>(tokens.take_number(0, UINT16_MAX));
  const std::string_view typ = tokens.take();
  candidate.type = type_of(tokens.take());
  candidate.after_type = tokens.rest();
  // Extensions come in pairs; related address and port have the same form.
  while (tokens.ok() && !tokens.at_end()) {
    (void)tokens.take();
    (void)tokens.take();
  }
  const bool fits = tokens.ok() && typ == "typ" && is_ice_text(candidate.foundation) &&
                    candidate.foundation.size() <= kMaxFoundation;
  return fits ? std::optional(candidate) : std::nullopt;
}

std::optional<std::string> guarded_relay_candidate(std::string_view text, const IsOwnRelay& is_own_relay) {
  const auto candidate = parse_candidate(text);
  if (!candidate || candidate->type != CandidateType::relay || candidate->transport == Transport::other)
    return std::nullopt;
  const auto ip = Ip::parse(candidate->connection_address);
  if (!ip || !is_own_relay || !is_own_relay({*ip, candidate->port})) return std::nullopt;
  std::string guarded(text.starts_with(kAttribute) ? "a=candidate:" : "candidate:");
  guarded += candidate->foundation;
  guarded += ' ' + std::to_string(candidate->component) + ' ';
  guarded += candidate->transport_text;
  guarded += ' ' + std::to_string(candidate->priority) + ' ' + ip->text() + ' ' +
             std::to_string(candidate->port) + " typ relay raddr ";
  guarded += ip->is_v4() ? "0.0.0.0" : "::";
  guarded += " rport 0";
  if (candidate->after_type.empty()) return guarded;
  Tokens extensions(candidate->after_type.substr(1));
  while (!extensions.at_end()) {
    const std::string_view extension = extensions.take();
    const std::string_view value = extensions.take();
    if (!is_plain_extension(extension, value)) continue;
    guarded += ' ';
    guarded += extension;
    guarded += ' ';
    guarded += value;
  }
  return guarded;
}

}  // namespace offhook::sdp
