#include "core/credentials/revocations.h"

#include <algorithm>
#include <charconv>

namespace offhook::credentials {

bool Revocations::add(std::string_view user, UnixTime now) {
  std::erase_if(at_by_user_, [now](const auto& entry) { return entry.second + kKept < now; });
  const auto known = at_by_user_.find(user);
  if (known != at_by_user_.end()) {
    known->second = std::max(known->second, now);
    return true;
  }
  if (at_by_user_.size() >= kLimit) return false;
  at_by_user_.emplace(user, now);
  return true;
}

bool Revocations::covers(std::string_view user, std::optional<std::int64_t> issued_s) const {
  const auto revoked = at_by_user_.find(user);
  if (revoked == at_by_user_.end()) return false;
  return !issued_s || *issued_s <= revoked->second.seconds;
}

std::string Revocations::text() const {
  std::string text;
  for (const auto& [user, at] : at_by_user_) text += std::to_string(at.seconds) + " " + user + "\n";
  return text;
}

Revocations Revocations::parse(std::string_view text) {
  Revocations revocations;
  while (!text.empty() && revocations.at_by_user_.size() < kLimit) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    UnixTime at;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), at.seconds);
    const auto digits = static_cast<std::size_t>(end - line.data());
    if (error != std::errc{} || line.size() < digits + 2 || line[digits] != ' ') continue;
    revocations.at_by_user_.insert_or_assign(std::string(line.substr(digits + 1)), at);
  }
  return revocations;
}

}  // namespace offhook::credentials
