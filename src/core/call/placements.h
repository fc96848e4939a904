#pragma once
// Calls that the app's backend has asked a user's devices to make and that none of them has made yet.

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "wire/signal/types.h"

namespace offhook::call {

class Placements {
 public:
  // A person answers within a minute or never. Beyond this the oldest is forgotten: its devices may still
  // dial, and are no longer told who was first.
  static constexpr std::size_t kLimit = 1024;

  void add(const signal::CallId& call, std::string user) {
    if (ids_.size() >= kLimit) {
      user_by_id_.erase(ids_.front());
      ids_.pop_front();
    }
    ids_.push_back(call.text());
    user_by_id_.emplace(call.text(), std::move(user));
  }
  // Whose devices were asked; nothing if nobody was.
  std::optional<std::string> user_of(const signal::CallId& call) const {
    const auto found = user_by_id_.find(call.text());
    return found == user_by_id_.end() ? std::nullopt : std::optional(found->second);
  }
  void remove(const signal::CallId& call) {
    if (user_by_id_.erase(call.text()) > 0) std::erase(ids_, call.text());
  }
  std::size_t size() const { return ids_.size(); }
  bool agree() const { return ids_.size() == user_by_id_.size(); }

 private:
  std::deque<std::string> ids_;  // oldest first
  std::unordered_map<std::string, std::string> user_by_id_;
};

}  // namespace offhook::call
