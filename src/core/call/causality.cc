#include "core/call/causality.h"

#include <algorithm>

namespace offhook::call {
namespace {

// The m-line index says nothing that the mid does not, and some clients leave it out of one copy.
bool is_same(const signal::Candidate& a, const signal::Candidate& b) {
  return a.candidate == b.candidate && a.sdp_mid == b.sdp_mid && a.username_fragment == b.username_fragment;
}

}  // namespace

Outflow::Ruling Outflow::take(std::uint32_t generation, const signal::Candidate& candidate,
                              std::size_t limit) {
  if (newest_ && generation < *newest_) return Ruling::drop;
  const bool out = newest_ && generation == *newest_;
  if (out && !belongs_to_newest(candidate)) return Ruling::drop;
  std::vector<signal::Candidate>& candidates = candidates_by_generation_[generation];
  for (const signal::Candidate& known : candidates) {
    if (is_same(known, candidate)) return Ruling::drop;
  }
  if (candidates.size() >= limit) return Ruling::full;
  candidates.push_back(candidate);
  return out ? Ruling::pass : Ruling::hold;
}

const std::vector<signal::Candidate>& Outflow::release(std::uint32_t generation, std::string_view sdp) {
  newest_ = generation;
  ufrags_ = ice_ufrags(sdp);
  candidates_by_generation_.erase(candidates_by_generation_.begin(),
                                  candidates_by_generation_.lower_bound(generation));
  std::vector<signal::Candidate>& candidates = candidates_by_generation_[generation];
  std::erase_if(candidates, [this](const signal::Candidate& held) { return !belongs_to_newest(held); });
  return candidates;
}

const std::vector<signal::Candidate>& Outflow::released() const {
  static const std::vector<signal::Candidate> kNone;
  if (!newest_) return kNone;
  const auto found = candidates_by_generation_.find(*newest_);
  return found == candidates_by_generation_.end() ? kNone : found->second;
}

void Outflow::forget_held(std::uint32_t generation) {
  if (!newest_ || generation > *newest_) candidates_by_generation_.erase(generation);
}

std::size_t Outflow::stored() const {
  std::size_t count = 0;
  for (const auto& [generation, candidates] : candidates_by_generation_) count += candidates.size();
  return count;
}

bool Outflow::belongs_to_newest(const signal::Candidate& candidate) const {
  if (!candidate.username_fragment || candidate.username_fragment->empty() || ufrags_.empty()) return true;
  return std::find(ufrags_.begin(), ufrags_.end(), *candidate.username_fragment) != ufrags_.end();
}

std::vector<std::string> ice_ufrags(std::string_view sdp) {
  static constexpr std::string_view kLabel = "a=ice-ufrag:";
  // One a media section, and mostly the same one. A description with more is not looked into any further: its
  // candidates all pass.
  static constexpr std::size_t kMaxUfrags = 64;
  std::vector<std::string> ufrags;
  while (!sdp.empty()) {
    const std::size_t end = sdp.find('\n');
    std::string_view line = sdp.substr(0, end);
    sdp = end == std::string_view::npos ? std::string_view() : sdp.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.substr(0, kLabel.size()) != kLabel) continue;
    std::string ufrag(line.substr(kLabel.size()));
    if (std::find(ufrags.begin(), ufrags.end(), ufrag) != ufrags.end()) continue;
    if (ufrags.size() == kMaxUfrags) return {};
    ufrags.push_back(std::move(ufrag));
  }
  return ufrags;
}

}  // namespace offhook::call
