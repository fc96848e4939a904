#pragma once
// The push subscriptions of all users: one small file a user, in the state directory's folder push. Nothing
// is kept in memory, so a server with many users starts at once, and a file is read when its user is dialled.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/wake/subscription.h"

namespace offhook::service {

// A browser is one subscription. With more the oldest goes: it is most likely a browser that has subscribed
// anew and forgot the old one.
inline constexpr std::size_t kMaxSubscriptionsPerUser = 8;

class Subscriptions {
 public:
  Subscriptions(std::string directory, EndpointPolicy policy)
      : directory_(std::move(directory)), policy_(policy) {}

  // Oldest first. A file that cannot be read counts as empty, and is logged.
  std::vector<Subscription> of(std::string_view user) const;
  // On disk when it returns. One of the same endpoint is replaced; nothing is written if nothing changes. The
  // error is for the log.
  Result<void, std::string> add(std::string_view user, const Subscription& subscription);
  // True if it was there.
  Result<bool, std::string> remove(std::string_view user, std::string_view endpoint);

 private:
  std::string path_of(std::string_view user) const;
  Result<void, std::string> write(std::string_view user, const std::vector<Subscription>& all);

  const std::string directory_;
  const EndpointPolicy policy_;
};

}  // namespace offhook::service
