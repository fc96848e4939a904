#include "core/call/claims.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace offhook::call {
namespace {

// Calls that a session may have live, and as many that are just over.
constexpr std::size_t kMaxClaimsPerSession = 32;
// All devices of two users. Only those who know the id can fill it.
constexpr std::size_t kMaxClaimsPerCall = 32;

template <typename Key>
std::vector<ClaimKey> listed(const std::map<Key, std::vector<ClaimKey>>& keys, const Key& key) {
  const auto found = keys.find(key);
  return found == keys.end() ? std::vector<ClaimKey>() : found->second;
}

template <typename Key>
void unlist(std::map<Key, std::vector<ClaimKey>>& keys, const Key& key, ClaimKey claim) {
  const auto found = keys.find(key);
  assert(found != keys.end());
  std::erase(found->second, claim);
  if (found->second.empty()) keys.erase(found);
}

}  // namespace

bool Claims::put(const Session& from, const signal::Snapshot& snapshot, Instant now) {
  if (const Claim* before = find(from.key, snapshot.call)) (void)take(before->key);
  if (of_session(from.key).size() >= kMaxClaimsPerSession) return false;
  if (of_call(snapshot.call).size() >= kMaxClaimsPerCall) return false;
  const ClaimKey key{claims_.emplace(Claim{{}, from.key, from.user, snapshot})};
  find(key)->key = key;
  keys_by_call_[snapshot.call].push_back(key);
  keys_by_session_[from.key].push_back(key);
  deadlines_.set({Timer::claim, key.slot}, now + settings_.session_grace);
  return true;
}

Claim* Claims::find(SessionKey session, const signal::CallId& call) {
  const auto found = keys_by_session_.find(session);
  if (found == keys_by_session_.end()) return nullptr;
  for (const ClaimKey key : found->second) {
    if (Claim* claim = find(key); claim->snapshot.call == call) return claim;
  }
  return nullptr;
}

std::vector<ClaimKey> Claims::of_call(const signal::CallId& call) const {
  return listed(keys_by_call_, call);
}

std::vector<ClaimKey> Claims::of_session(SessionKey session) const {
  return listed(keys_by_session_, session);
}

Claim Claims::take(ClaimKey key) {
  Claim claim = std::move(*find(key));
  deadlines_.cancel({Timer::claim, key.slot});
  unlist(keys_by_call_, claim.snapshot.call, key);
  unlist(keys_by_session_, claim.session, key);
  claims_.erase(key.slot);
  return claim;
}

void Claims::clear() {
  while (!keys_by_call_.empty()) (void)take(keys_by_call_.begin()->second.front());
}

std::optional<std::string> Claims::broken_invariant() {
  std::size_t by_call = 0;
  std::size_t by_session = 0;
  for (const auto& [call, keys] : keys_by_call_) by_call += keys.size();
  for (const auto& [session, keys] : keys_by_session_) {
    by_session += keys.size();
    if (keys.size() > kMaxClaimsPerSession) return "a session claims too many calls";
  }
  if (by_call != claims_.size() || by_session != claims_.size()) return "claims are listed wrongly";
  return std::nullopt;
}

}  // namespace offhook::call
