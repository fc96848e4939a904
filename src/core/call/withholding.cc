#include "core/call/withholding.h"

#include <utility>

#include "wire/sdp/candidate.h"
#include "wire/sdp/description.h"

namespace offhook::call {
namespace {

// More than a party may have of candidates.
constexpr std::size_t kMaxListed = 100;

bool can_be_reached(const Address& address) { return !address.ip.is_unspecified(); }

std::optional<std::string> within(std::optional<std::string> text, std::size_t limit) {
  return text && text->size() <= limit ? std::move(text) : std::nullopt;
}

}  // namespace

Passage passage(WarmPath warm_path, bool accepted) {
  if (warm_path == WarmPath::direct) return Passage::whole;
  return accepted ? Passage::settled : Passage::guarded;
}

std::string description_for(Passage passage, std::string_view sdp) {
  switch (passage) {
    case Passage::whole:
      return std::string(sdp);
    case Passage::guarded:
      return sdp::guard(sdp).sdp;
    case Passage::settled:
      return sdp::with_plain_origin(sdp);
  }
  return {};
}

std::optional<signal::Candidate> candidate_for(Passage passage, const signal::Candidate& candidate) {
  if (passage != Passage::guarded) return candidate;
  // The end of candidates waits too: more of them may come out at accept.
  auto relayed = sdp::guarded_relay_candidate(candidate.candidate);
  if (!relayed) return std::nullopt;
  signal::Candidate guarded = candidate;
  guarded.candidate = std::move(*relayed);
  return guarded;
}

std::vector<signal::Candidate> withheld_candidates(std::string_view sdp) {
  std::vector<signal::Candidate> candidates;
  for (sdp::CutCandidate& cut : sdp::guard(sdp).cut) {
    // What is too long to be trickled is no candidate.
    if (cut.candidate.size() > signal::kMaxCandidate) continue;
    candidates.push_back({std::move(cut.candidate), within(std::move(cut.mid), signal::kMaxMid),
                          cut.m_line_index, within(std::move(cut.ufrag), signal::kMaxUfrag)});
  }
  return candidates;
}

std::vector<Address> introduced_by(std::string_view sdp) {
  std::vector<Address> addresses = sdp::candidate_addresses(sdp, kMaxListed);
  std::erase_if(addresses, [](const Address& address) { return !can_be_reached(address); });
  return addresses;
}

std::optional<Address> introduced_by(const signal::Candidate& candidate) {
  const auto parsed = sdp::parse_candidate(candidate.candidate);
  if (!parsed || parsed->transport != sdp::Transport::udp) return std::nullopt;
  const auto address = parsed->address();
  return address && can_be_reached(*address) ? address : std::nullopt;
}

}  // namespace offhook::call
