#pragma once
// Which peer addresses calls have introduced to which user, while these calls live. Single-threaded; every
// shard holds them all, for a user's next allocation may come up in any.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/turn/peer_policy.h"

namespace offhook::turn {

// IP addresses of a call and user. An ICE agent gathers some on each interface of its machine, seldom more
// than ten in all, and anew after each restart.
inline constexpr std::size_t kIntroducedLimit = 32;
// Calls of a user at once. Beyond, the oldest gives way: a call whose end was never heard of is the first.
inline constexpr std::size_t kCallsOfUserLimit = 64;
// Calls at once, some 1.5 KiB each with ten addresses either way. Beyond, new ones are refused.
inline constexpr std::size_t kIntroducedCallsLimit = 65536;
// The two parties of a call.
inline constexpr std::size_t kUsersOfCallLimit = 2;

class Introductions {
 public:
  // refused: a limit is reached. displaced: added, but the user's oldest call had to go.
  enum class Outcome { added, known, displaced, refused };
  Outcome add(std::string_view user, std::string_view call, const AllowedIp& ip);
  // Returns whom it had introduced somebody to.
  std::vector<std::string> end(std::string_view call);

  bool contains(std::string_view user, const Ip& on_wire) const;
  template <typename Visit>
  void for_each_of(std::string_view user, Visit visit) const {
    const auto found = calls_by_user_.find(user);
    if (found == calls_by_user_.end()) return;
    for (const CallOfUser& call : found->second) {
      for (const AllowedIp& ip : call.ips) visit(ip);
    }
  }

  // Empty if the two indexes agree and no limit is exceeded.
  std::string_view broken_invariant() const;

 private:
  struct CallOfUser {
    std::string call;
    std::vector<AllowedIp> ips;
  };
  // Null if a limit is reached.
  CallOfUser* call_of(std::string_view user, std::string_view call, bool& displaced);
  void remove_oldest_of(std::string_view user, std::vector<CallOfUser>& calls);

  std::map<std::string, std::vector<CallOfUser>, std::less<>> calls_by_user_;  // oldest call first
  std::map<std::string, std::vector<std::string>, std::less<>> users_by_call_;
};

}  // namespace offhook::turn
