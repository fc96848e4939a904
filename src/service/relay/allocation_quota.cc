#include "service/relay/allocation_quota.h"

#include <cassert>

namespace offhook::relay {

turn::Quota::Taking AllocationQuota::try_take(std::string_view user) {
  const std::scoped_lock lock(mutex_);
  if (total_limit_ != 0 && total_ >= total_limit_) return Taking::total_limit;
  auto entry = live_by_user_.find(user);
  if (entry == live_by_user_.end()) entry = live_by_user_.emplace(std::string(user), 0).first;
  // An entry that was just made passes: a limit is at least one.
  if (user_limit_ != 0 && entry->second >= user_limit_) return Taking::user_limit;
  entry->second += 1;
  total_ += 1;
  return Taking::taken;
}

void AllocationQuota::give_back(std::string_view user) {
  const std::scoped_lock lock(mutex_);
  const auto entry = live_by_user_.find(user);
  assert(entry != live_by_user_.end() && total_ > 0);
  if (entry == live_by_user_.end()) return;
  total_ -= 1;
  entry->second -= 1;
  if (entry->second == 0) live_by_user_.erase(entry);
}

std::size_t AllocationQuota::users() const {
  const std::scoped_lock lock(mutex_);
  return live_by_user_.size();
}

}  // namespace offhook::relay
