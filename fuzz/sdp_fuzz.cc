// The input is a description, and each of its lines a candidate. What has been guarded has no address but
// those of relay candidates, is not changed by guarding it again, and has its candidates either in it or cut
// out of it.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/sdp/candidate.h"
#include "wire/sdp/description.h"

namespace {

using namespace offhook;

void require(bool holds) {
  if (!holds) std::abort();
}

// By the port, so that both kinds are met.
bool is_own_relay(const Address& address) { return address.port % 2 == 0; }

void candidate(std::string_view line) {
  const auto parsed = sdp::parse_candidate(line);
  if (parsed) (void)parsed->address();
  const auto guarded = sdp::guarded_relay_candidate(line, is_own_relay);
  if (!guarded) return;
  require(parsed && parsed->type == sdp::CandidateType::relay && parsed->address());
  require(is_own_relay(*parsed->address()));
  const auto again = sdp::parse_candidate(*guarded);
  require(again && again->type == sdp::CandidateType::relay && again->address() == parsed->address());
  require(sdp::guarded_relay_candidate(*guarded, is_own_relay) == guarded);
  require(guarded->find('\n') == std::string::npos && guarded->find('\r') == std::string::npos);
}

void description(std::string_view text) {
  const sdp::Guarded guarded = sdp::guard(text, is_own_relay);
  const sdp::Guarded again = sdp::guard(guarded.sdp, is_own_relay);
  require(again.cut.empty());
  require(sdp::with_plain_origin(guarded.sdp) == guarded.sdp);
  for (const sdp::CutCandidate& cut : guarded.cut) {
    require(cut.candidate.find_first_of("\r\n") == std::string::npos);
  }
  std::string_view rest = guarded.sdp;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
    const auto parsed = sdp::parse_candidate(rest.substr(0, end));
    require(!parsed || !rest.starts_with("a=candidate") || parsed->type == sdp::CandidateType::relay);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  require(sdp::candidate_addresses(text, 100).size() <= 100);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text = as_text(Bytes(bytes, size));
  description(text);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    candidate(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return 0;
}
