#pragma once
// How often a user may dial, over all their devices: each dial rings devices, wakes phones, and opens relay
// ports.

#include <optional>
#include <string>
#include <string_view>

#include "base/keyed_rate.h"
#include "core/call/settings.h"

namespace offhook::call {

class DialRate {
 public:
  explicit DialRate(const Settings& settings) {
    if (settings.dials_per_minute == 0) return;
    // A whole minute's at once after a rest.
    rate_.emplace(Duration(std::chrono::minutes(1)) / settings.dials_per_minute, settings.dials_per_minute,
                  settings.max_sessions);
  }

  // Nothing if the user may dial; else after how long.
  std::optional<Duration> take(std::string_view user, Instant now) {
    return rate_ ? rate_->take(std::string(user), now) : std::nullopt;
  }

 private:
  std::optional<KeyedRate<std::string>> rate_;
};

}  // namespace offhook::call
