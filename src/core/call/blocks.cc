#include "core/call/blocks.h"

namespace offhook::call {

bool Blocks::has(std::string_view by, std::string_view of) const {
  const auto list = blocked_by_user_.find(by);
  return list != blocked_by_user_.end() && list->second.contains(of);
}

bool Blocks::has_room(std::string_view by) const {
  if (size_ >= settings_.max_blocks) return false;
  const auto list = blocked_by_user_.find(by);
  return list == blocked_by_user_.end() || list->second.size() < settings_.max_blocks_per_user;
}

bool Blocks::add(const std::string& by, const std::string& of) {
  if (!blocked_by_user_[by].insert(of).second) return false;
  size_ += 1;
  return true;
}

bool Blocks::remove(std::string_view by, std::string_view of) {
  const auto list = blocked_by_user_.find(by);
  if (list == blocked_by_user_.end()) return false;
  const auto entry = list->second.find(of);
  if (entry == list->second.end()) return false;
  list->second.erase(entry);
  if (list->second.empty()) blocked_by_user_.erase(list);
  size_ -= 1;
  return true;
}

BlockPage Blocks::page(std::string_view by, std::string_view after, std::size_t limit) const {
  BlockPage page;
  const auto list = blocked_by_user_.find(by);
  if (list == blocked_by_user_.end()) return page;
  for (auto entry = list->second.upper_bound(after); entry != list->second.end(); ++entry) {
    if (page.users.size() == limit) {
      page.has_more = true;
      break;
    }
    page.users.push_back(*entry);
  }
  return page;
}

std::optional<std::string> Blocks::broken_invariant() const {
  std::size_t counted = 0;
  for (const auto& [user, list] : blocked_by_user_) {
    if (list.empty()) return user + " has an empty list of blocks";
    if (list.contains(user)) return user + " has blocked themselves";
    counted += list.size();
  }
  if (counted != size_) return "blocks are counted wrongly";
  return std::nullopt;
}

}  // namespace offhook::call
