#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "core/turn/ports.h"

namespace offhook::relay {

// Counts live allocations a user and in all, over every shard. Any thread may call; only set-up and tear-down
// do.
class AllocationQuota final : public turn::Quota {
 public:
  // 0: unlimited.
  AllocationQuota(std::size_t user_limit, std::size_t total_limit)
      : user_limit_(user_limit), total_limit_(total_limit) {}

  Taking try_take(std::string_view user) override;
  void give_back(std::string_view user) override;
  std::size_t users() const;

 private:
  const std::size_t user_limit_;
  const std::size_t total_limit_;
  mutable std::mutex mutex_;
  std::size_t total_ = 0;
  std::map<std::string, std::size_t, std::less<>> live_by_user_;  // no entry stays at zero
};

}  // namespace offhook::relay
