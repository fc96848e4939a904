#pragma once
// One unit of a user's quota, held exactly as long as this object lives.

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "core/turn/ports.h"

namespace offhook::turn {

class QuotaLease {
 public:
  // If the quota is used up, which limit was reached. Borrows `quota`.
  static Result<QuotaLease, Quota::Taking> take(Quota& quota, std::string_view user) {
    const Quota::Taking taking = quota.try_take(user);
    if (taking != Quota::Taking::taken) return fail(taking);
    return QuotaLease(quota, user);
  }
  QuotaLease(QuotaLease&& other) noexcept
      : quota_(std::exchange(other.quota_, nullptr)), user_(std::move(other.user_)) {}
  QuotaLease(const QuotaLease&) = delete;
  QuotaLease& operator=(const QuotaLease&) = delete;
  QuotaLease& operator=(QuotaLease&&) = delete;
  ~QuotaLease() {
    if (quota_ != nullptr) quota_->give_back(user_);
  }
  const std::string& user() const { return user_; }

 private:
  QuotaLease(Quota& quota, std::string_view user) : quota_(&quota), user_(user) {}

  Quota* quota_;
  std::string user_;
};

}  // namespace offhook::turn
