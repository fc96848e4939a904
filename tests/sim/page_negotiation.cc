// Offers, answers and candidates of a call on a page.

#include <algorithm>
#include <utility>

#include "page_call.h"

namespace offhook::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxFreshAgain = 3;
constexpr std::size_t kToldKept = 16;

// The value of its a=ice-ufrag line.
std::string ufrag_of(const std::string& sdp) {
  static constexpr std::string_view kLabel = "a=ice-ufrag:";
  const std::size_t at = sdp.find(kLabel);
  require(at != std::string::npos, "a description arrives as it was made", sdp);
  return sdp.substr(at + kLabel.size(), sdp.find('\r', at) - at - kLabel.size());
}

std::vector<std::string> candidates_in(const std::string& sdp) {
  static constexpr std::string_view kLabel = "\r\na=candidate:";
  std::vector<std::string> candidates;
  for (std::size_t at = sdp.find(kLabel); at != std::string::npos; at = sdp.find(kLabel, at + 1)) {
    candidates.push_back(sdp.substr(at + 4, sdp.find('\r', at + 4) - at - 4));
  }
  return candidates;
}

}  // namespace

void PageCall::open_link(bool offers, bool fresh) {
  if (link_) place_.drop_ufrag(link_->ufrag);
  if (link_ && link_->was_up) down_since_ = stage_.now();
  const bool has_other = link_ && link_->was_ever_up && is_answered();
  trickles_.clear();
  link_.emplace();
  link_->has_other = has_other;
  link_->offers = offers;
  if (offers) make_offer(fresh);
  std::vector<ServerMessage> early = std::exchange(early_, {});
  for (const ServerMessage& message : early) {
    if (is_over()) return;
    if (message.said == Said::offer) take_offer(message);
    if (message.said == Said::answer) handle_answer(message);
    if (message.said == Said::candidate) place_.handle_candidate(message.candidate);
  }
  if (!is_over()) poll();
}

void PageCall::make_offer(bool fresh) {
  newest_ += 1;
  link_->local_offer = newest_;
  link_->awaits_answer = true;
  link_->offer_is_fresh = fresh;
  if (fresh) link_->fresh_offer = newest_;
  describe(newest_, true, fresh);
}

void PageCall::describe(std::int64_t generation, bool is_offer, bool fresh) {
  if (!link_->ufrag.empty()) place_.drop_ufrag(link_->ufrag);
  link_->ufrag = place_.new_ufrag(*this);
  std::vector<std::string> candidates = gather();
  spoken_ += 1;
  Told told{generation, link_->ufrag, {}, spoken_, 0};
  const std::string host = place_.host_address();
  std::string sdp = "v=0\r\no=- 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host +
                    "\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:" + link_->ufrag +
                    "\r\na=ice-pwd:0123456789012345678901\r\n";
  if (dice_.percent(30)) {
    // Some are found before the description is sent.
    const std::size_t inside = std::min<std::size_t>(1 + dice_.under(3), candidates.size());
    for (std::size_t i = 0; i < inside; ++i) {
      if (candidates[i].empty()) break;
      sdp += "a=" + candidates[i] + "\r\n";
      told.names.emplace_back(foundation_of(candidates[i]));
    }
    candidates.erase(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(told.names.size()));
  }
  if (is_offer) stage_.tally.add(Count::offers);
  if (fresh) stage_.tally.add(Count::fresh_offers);
  // Now and then one overtakes its description, as in an app that does not wait.
  if (!candidates.empty() && !candidates.front().empty() && dice_.percent(8)) {
    told.names.emplace_back(foundation_of(candidates.front()));
    place_.send(candidate_message(id_, generation, candidates.front(), link_->ufrag));
    candidates.erase(candidates.begin());
    if (is_over()) return;
  }
  told_.push_back(std::move(told));
  if (told_.size() > kToldKept) told_.erase(told_.begin());
  place_.send(is_offer ? offer_message(id_, generation, sdp, fresh) : answer_message(id_, generation, sdp));
  if (is_over()) return;
  tell(generation, link_->ufrag, std::move(candidates));
}

std::string PageCall::candidate(const char* type, const std::string& address) {
  const std::string name = fmt::format("{:x}", dice_.roll());
  const std::string_view kind(type);
  const bool is_relayed = kind == "relay";
  const std::size_t colon = address.rfind(':');
  std::string text = fmt::format("candidate:{} 1 udp {} {} {} typ {}", name, 1 + dice_.under(2'000'000'000),
                                 address.substr(0, colon), address.substr(colon + 1), type);
  if (is_relayed || kind == "srflx") text += " raddr " + place_.host_address() + " rport 9";
  return text + " generation 0 ufrag " + link_->ufrag + " network-cost 999";
}

// In the order in which they are found. The end is said only where a relay was among them: one that comes
// later follows.
std::vector<std::string> PageCall::gather() {
  const std::string host = place_.host_address();
  std::vector<std::string> candidates;
  candidates.push_back(candidate("host", host + ":" + std::to_string(20'000 + dice_.under(10'000))));
  if (dice_.percent(50))
    candidates.push_back(candidate("srflx", host + ":" + std::to_string(30'000 + dice_.under(9'999))));
  if (dice_.percent(20)) candidates.push_back(candidate("relay", std::string(kForeignNetwork) + "3.4:40000"));
  if (dice_.percent(20))
    candidates.push_back(candidate("host", "f1e2d3c4-0000-4000-8000-000000000000.local:40000"));
  const auto relayed = place_.relayed_address();
  if (relayed) candidates.push_back(candidate("relay", relayed->text()));
  for (std::size_t i = candidates.size(); i > 1; --i)
    std::swap(candidates[i - 1], candidates[dice_.under(i)]);
  if (relayed) candidates.emplace_back();
  return candidates;
}

void PageCall::tell(std::int64_t generation, const std::string& ufrag, std::vector<std::string> candidates) {
  if (candidates.empty()) return;
  Trickle& trickle = trickles_.emplace_back(stage_.timetable, generation, ufrag);
  trickle.candidates = std::move(candidates);
  trickle.timer.set(dice_.between(milliseconds(0), milliseconds(40)),
                    [this, &trickle] { tell_next(trickle); });
}

void PageCall::tell_next(Trickle& trickle) {
  const std::string candidate = trickle.candidates[trickle.next++];
  stage_.tally.add(Count::candidates);
  for (Told& told : told_) {
    if (told.ufrag != trickle.ufrag) continue;
    told.names.emplace_back(foundation_of(candidate));
    if (candidate.empty()) told.ended = ++spoken_;
  }
  changed_at_ = stage_.now();
  place_.send(candidate_message(id_, trickle.generation, candidate, trickle.ufrag));
  // Twice, now and then: it is passed once.
  if (dice_.percent(3)) place_.send(candidate_message(id_, trickle.generation, candidate, trickle.ufrag));
  if (is_over()) return;
  if (trickle.next == trickle.candidates.size()) {
    std::erase_if(trickles_, [&trickle](const Trickle& one) { return &one == &trickle; });
    return;
  }
  trickle.timer.set(dice_.between(milliseconds(0), milliseconds(60)),
                    [this, &trickle] { tell_next(trickle); });
}

void PageCall::handle_offer(const ServerMessage& message) {
  newest_ = std::max(newest_, message.generation);
  for (const std::string& inside : candidates_in(message.sdp)) {
    heard_.push_back({message.generation, std::string(foundation_of(inside))});
  }
  if (link_) return take_offer(message);
  if (message.fresh) early_.clear();
  early_.push_back(message);
}

void PageCall::take_offer(const ServerMessage& message) {
  // Ours of a new connection passes as well, and is the later one: the other side answers it.
  const bool asks = link_->awaits_answer && link_->offer_is_fresh;
  if (asks && link_->local_offer > message.generation) return;
  // Of the connection that is given up.
  if (asks && !message.fresh && !link_->has_other) return;
  const bool has_begun = link_->local_offer >= 0 || link_->is_met;
  if (message.fresh && has_begun) {
    other_candidates_.clear();
    open_link(false, false);
    if (is_over()) return;
  }
  answer_offer(message);
}

void PageCall::answer_offer(const ServerMessage& offer) {
  // Ours crossed it, and is refused.
  const bool has_crossed = link_->awaits_answer && link_->offer_is_fresh && !offer.fresh;
  link_->awaits_answer = false;
  link_->is_met = true;
  link_->other_ufrag = ufrag_of(offer.sdp);
  link_->described = offer.generation;
  for (const std::string& inside : candidates_in(offer.sdp)) {
    other_candidates_.push_back(inside);
    place_.handle_candidate(inside);
  }
  describe(offer.generation, false, false);
  if (has_crossed && !is_over()) begin_fresh_again();
}

void PageCall::begin_fresh_again() {
  const bool may_begin = is_answered() || is_calling_;
  if (!may_begin || fresh_again_ >= kMaxFreshAgain) return;
  fresh_again_ += 1;
  open_link(true, true);
}

void PageCall::handle_answer(const ServerMessage& message) {
  for (const std::string& inside : candidates_in(message.sdp)) {
    heard_.push_back({message.generation, std::string(foundation_of(inside))});
    other_candidates_.push_back(inside);
    place_.handle_candidate(inside);
  }
  if (!link_ || !link_->awaits_answer || message.generation != link_->local_offer) return;
  link_->awaits_answer = false;
  link_->is_met = true;
  link_->other_ufrag = ufrag_of(message.sdp);
  link_->described = message.generation;
}

void PageCall::handle_candidate(const ServerMessage& message) {
  heard_.push_back({message.generation, std::string(foundation_of(message.candidate))});
  if (message.candidate.empty()) return;
  other_candidates_.push_back(message.candidate);
  place_.handle_candidate(message.candidate);
}

std::vector<std::string> PageCall::heard(std::int64_t generation) const {
  std::vector<std::string> names;
  for (const HeardCandidate& one : heard_) {
    if (one.generation == generation) names.push_back(one.name);
  }
  return names;
}

void PageCall::handle_refused_offer(const ClientMessage& offer, bool stale) {
  if (!link_) return;
  // Whatever has followed it is of a connection that the other side has not taken.
  if (stale && offer.fresh && offer.generation == link_->fresh_offer) return begin_fresh_again();
  if (link_->local_offer == offer.generation) link_->awaits_answer = false;
}

void PageCall::restart_ice() {
  if (is_over() || !link_ || (link_->local_offer < 0 && !link_->is_met)) return;
  changed_at_ = stage_.now();
  make_offer(false);
}

void PageCall::take_fresh_path() {
  if (is_over() || !link_ || !(is_answered() || is_calling_)) return;
  if (link_->local_offer < 0 && !link_->is_met) return;
  changed_at_ = stage_.now();
  open_link(true, true);
}

void PageCall::handle_relay() {
  if (is_over() || !link_ || link_->ufrag.empty() || told_.empty()) return;
  const std::vector<std::string>& names = told_.back().names;
  const bool has_said_end = std::find(names.begin(), names.end(), "") != names.end();
  // What stands without a relay needs no other one.
  if (is_answered() && link_->described >= 0 && place_.has_path(*this)) return;
  if (has_said_end || is_telling()) {
    if (is_answered() || is_calling_) restart_ice();
    return;
  }
  const auto relayed = place_.relayed_address();
  if (relayed) tell(told_.back().generation, link_->ufrag, {candidate("relay", relayed->text()), ""});
}

void PageCall::burst(std::size_t count) {
  if (is_over() || !link_ || link_->ufrag.empty() || told_.empty()) return;
  changed_at_ = stage_.now();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = candidate("host", place_.host_address() + ":" + std::to_string(10'000 + i));
    told_.back().names.emplace_back(foundation_of(text));
    place_.send(candidate_message(id_, told_.back().generation, text, link_->ufrag));
    if (is_over()) return;
  }
}

}  // namespace offhook::sim
