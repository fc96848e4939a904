#include "core/turn/introductions.h"

#include <algorithm>
#include <utility>

namespace offhook::turn {

Introductions::Outcome Introductions::add(std::string_view user, std::string_view call, const AllowedIp& ip) {
  bool displaced = false;
  CallOfUser* known = call_of(user, call, displaced);
  if (known == nullptr) return Outcome::refused;
  const bool twice =
      std::ranges::any_of(known->ips, [&](const AllowedIp& each) { return each.on_wire() == ip.on_wire(); });
  if (twice) return Outcome::known;
  if (known->ips.size() >= kIntroducedLimit) return Outcome::refused;
  known->ips.push_back(ip);
  return displaced ? Outcome::displaced : Outcome::added;
}

Introductions::CallOfUser* Introductions::call_of(std::string_view user, std::string_view call,
                                                  bool& displaced) {
  if (const auto found = calls_by_user_.find(user); found != calls_by_user_.end()) {
    const auto known = std::ranges::find(found->second, call, &CallOfUser::call);
    if (known != found->second.end()) return &*known;
  }
  const auto of_call = users_by_call_.find(call);
  const bool is_new = of_call == users_by_call_.end();
  if (is_new && users_by_call_.size() >= kIntroducedCallsLimit) return nullptr;
  if (!is_new && of_call->second.size() >= kUsersOfCallLimit) return nullptr;
  users_by_call_[std::string(call)].emplace_back(user);
  std::vector<CallOfUser>& calls = calls_by_user_[std::string(user)];
  displaced = calls.size() >= kCallsOfUserLimit;
  if (displaced) remove_oldest_of(user, calls);
  calls.push_back({std::string(call), {}});
  return &calls.back();
}

void Introductions::remove_oldest_of(std::string_view user, std::vector<CallOfUser>& calls) {
  const auto of_call = users_by_call_.find(calls.front().call);
  std::erase(of_call->second, user);
  if (of_call->second.empty()) users_by_call_.erase(of_call);
  calls.erase(calls.begin());
}

std::vector<std::string> Introductions::end(std::string_view call) {
  const auto found = users_by_call_.find(call);
  if (found == users_by_call_.end()) return {};
  std::vector<std::string> users = std::move(found->second);
  users_by_call_.erase(found);
  for (const std::string& user : users) {
    const auto calls = calls_by_user_.find(user);
    std::erase_if(calls->second, [&](const CallOfUser& each) { return each.call == call; });
    if (calls->second.empty()) calls_by_user_.erase(calls);
  }
  return users;
}

bool Introductions::contains(std::string_view user, const Ip& on_wire) const {
  bool found = false;
  for_each_of(user, [&](const AllowedIp& ip) { found = found || ip.on_wire() == on_wire; });
  return found;
}

std::string_view Introductions::broken_invariant() const {
  std::size_t pairs = 0;
  for (const auto& [user, calls] : calls_by_user_) {
    if (calls.empty() || calls.size() > kCallsOfUserLimit) return "a user has some calls within the limit";
    for (const CallOfUser& call : calls) {
      pairs += 1;
      if (call.ips.empty() || call.ips.size() > kIntroducedLimit) return "a call introduces within the limit";
      const auto users = users_by_call_.find(call.call);
      if (users == users_by_call_.end() || std::ranges::find(users->second, user) == users->second.end()) {
        return "a call knows its users";
      }
    }
  }
  for (const auto& [call, users] : users_by_call_) pairs -= users.size();
  return pairs == 0 ? "" : "as many users of calls as calls of users";
}

}  // namespace offhook::turn
