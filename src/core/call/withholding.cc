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

GuardedDescription guarded_description(std::string_view sdp, const sdp::IsOwnRelay& is_own_relay) {
  sdp::Guarded guarded = sdp::guard(sdp, is_own_relay);
  GuardedDescription description{std::move(guarded.sdp), {}};
  for (sdp::CutCandidate& cut : guarded.cut) {
    // What is too long to be trickled is no candidate.
    if (cut.candidate.size() > signal::kMaxCandidate) continue;
    description.withheld.push_back({std::move(cut.candidate), within(std::move(cut.mid), signal::kMaxMid),
                                    cut.m_line_index, within(std::move(cut.ufrag), signal::kMaxUfrag)});
  }
  return description;
}

// The end of candidates waits too: more of them may come out at accept.
std::optional<std::string> guarded_candidate(const signal::Candidate& candidate,
                                             const sdp::IsOwnRelay& is_own_relay) {
  return sdp::guarded_relay_candidate(candidate.candidate, is_own_relay);
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
