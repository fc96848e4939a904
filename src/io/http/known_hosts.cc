#include "io/http/known_hosts.h"

#include <algorithm>
#include <utility>

namespace offhook::io {

std::optional<KnownHosts::Known> KnownHosts::find(std::string_view host, Instant now) {
  const auto found = entries_.find(host);
  if (found == entries_.end()) return std::nullopt;
  Entry& entry = found->second;
  if (now - entry.learned_at >= kUsable) {
    entries_.erase(found);
    return std::nullopt;
  }
  const bool is_stale = now >= entry.look_again_at;
  if (is_stale) entry.look_again_at = now + kFresh;
  return Known{entry.addresses, is_stale};
}

void KnownHosts::learn(const std::string& host, std::vector<Ip> addresses, Instant now) {
  entries_.insert_or_assign(host, Entry{std::move(addresses), now, now + kFresh});
  if (entries_.size() <= kLimit) return;
  entries_.erase(
      std::ranges::min_element(entries_, {}, [](const auto& one) { return one.second.learned_at; }));
}

void KnownHosts::forget(std::string_view host) {
  const auto found = entries_.find(host);
  if (found != entries_.end()) entries_.erase(found);
}

}  // namespace offhook::io
