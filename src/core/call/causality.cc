#include "core/call/causality.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace offhook::call {
namespace {

// The m-line index says nothing that the mid does not, and some clients leave it out of one copy.
bool is_same(const signal::Candidate& a, const signal::Candidate& b) {
  return a.candidate == b.candidate && a.sdp_mid == b.sdp_mid && a.username_fragment == b.username_fragment;
}

bool holds(const std::vector<Kept>& candidates, const signal::Candidate& candidate) {
  return std::any_of(candidates.begin(), candidates.end(),
                     [&candidate](const Kept& kept) { return is_same(kept.candidate, candidate); });
}

bool names_ufrag(const signal::Candidate& candidate) {
  return candidate.username_fragment && !candidate.username_fragment->empty();
}

// Which description it ends, nothing in it tells.
bool is_nameless_end(const signal::Candidate& candidate) {
  return candidate.candidate.empty() && !names_ufrag(candidate);
}

}  // namespace

Outflow::Ruling Outflow::take(std::uint32_t generation, const Kept& kept, std::size_t limit) {
  if (newest_ && generation < *newest_) return Ruling::drop;
  const bool out = newest_ && generation == *newest_;
  if (out && !belongs_to_newest(kept.candidate)) return Ruling::drop;
  if (!out && was_refused(generation) && is_nameless_end(kept.candidate)) return Ruling::drop;
  std::vector<Kept>& candidates = candidates_by_generation_[generation];
  if (holds(candidates, kept.candidate)) return Ruling::drop;
  if (candidates.size() >= limit) return Ruling::full;
  candidates.push_back(kept);
  return out ? Ruling::pass : Ruling::hold;
}

bool Outflow::has_room(std::uint32_t generation, const std::vector<signal::Candidate>& withheld,
                       std::size_t limit) const {
  const auto found = candidates_by_generation_.find(generation);
  const std::size_t held = found == candidates_by_generation_.end() ? 0 : found->second.size();
  return held + withheld.size() <= limit;
}

const std::vector<Kept>& Outflow::release(std::uint32_t generation, std::string_view sdp,
                                          std::vector<signal::Candidate> withheld) {
  newest_ = generation;
  if (refused_ && refused_->highest <= generation) refused_.reset();
  ufrags_ = ice_ufrags(sdp);
  candidates_by_generation_.erase(candidates_by_generation_.begin(),
                                  candidates_by_generation_.lower_bound(generation));
  std::vector<Kept>& candidates = candidates_by_generation_[generation];
  std::erase_if(candidates, [this](const Kept& held) { return !belongs_to_newest(held.candidate); });
  std::vector<Kept> all;
  for (signal::Candidate& candidate : withheld) {
    if (!holds(candidates, candidate) && !holds(all, candidate))
      all.push_back({std::move(candidate), true, {}});
  }
  all.insert(all.end(), std::make_move_iterator(candidates.begin()),
             std::make_move_iterator(candidates.end()));
  candidates = std::move(all);
  return candidates;
}

const std::vector<Kept>& Outflow::released() const {
  static const std::vector<Kept> kNone;
  if (!newest_) return kNone;
  const auto found = candidates_by_generation_.find(*newest_);
  return found == candidates_by_generation_.end() ? kNone : found->second;
}

void Outflow::forget_refused(std::uint32_t generation) {
  if (!refused_) refused_ = Generations{generation, generation};
  refused_->lowest = std::min(refused_->lowest, generation);
  refused_->highest = std::max(refused_->highest, generation);
  if (!newest_ || generation > *newest_) candidates_by_generation_.erase(generation);
}

void Outflow::forget_held_before(std::uint32_t generation) {
  std::erase_if(candidates_by_generation_,
                [&](const auto& entry) { return entry.first < generation && entry.first != newest_; });
}

std::size_t Outflow::stored() const {
  std::size_t count = 0;
  for (const auto& [generation, candidates] : candidates_by_generation_) count += candidates.size();
  return count;
}

bool Outflow::was_refused(std::uint32_t generation) const {
  return refused_ && generation >= refused_->lowest && generation <= refused_->highest;
}

bool Outflow::belongs_to_newest(const signal::Candidate& candidate) const {
  if (!names_ufrag(candidate) || ufrags_.empty()) return true;
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
