#include "core/turn/introduce.h"

#include <algorithm>
#include <string>

namespace offhook::turn {
namespace {

std::size_t introduced_limit(const Settings& settings) { return settings.permissions_limit / 2; }

// Enough introduced already, or a family that the allocation does not relay: the client must ask itself.
bool permit(const Settings& settings, Allocation& allocation, const AllowedIp& ip) {
  if (!allocation.is_live() || !allocation.relays_family(ip.on_wire().family())) return false;
  const Permission* known = allocation.find_permission(ip.on_wire());
  const bool is_new = known == nullptr || !known->is_introduced();
  if (is_new && allocation.introduced_permissions() >= introduced_limit(settings)) return false;
  allocation.introduce_permission(ip);
  return true;
}

void end_permissions_of(Shard& shard, std::string_view user, Instant now, Outbox& outbox) {
  shard.allocations.for_each_of(user, [&](Allocation& allocation) {
    bool changed = false;
    for (Permission& permission : allocation.permissions) {
      if (!permission.is_introduced()) continue;
      if (shard.introductions.contains(user, permission.ip.on_wire())) continue;
      permission.expires_at = std::max(permission.asked_until, now);
      changed = true;
    }
    if (!changed) return;
    // Routes first: they end with their permission, also if that is now.
    allocation.update_routes(std::nullopt, outbox);
    allocation.remove_expired_permissions(now);
    shard.allocations.schedule(allocation);
  });
}

}  // namespace

bool introduce(Shard& shard, std::string_view user, std::string_view call, const Ip& named, Instant now,
               Outbox& outbox) {
  const auto ip = shard.policy.allow(named);
  if (!ip) return true;
  switch (shard.introductions.add(user, call, *ip)) {
    case Introductions::Outcome::refused:
      return false;
    case Introductions::Outcome::known:
      return true;
    case Introductions::Outcome::displaced:
      end_permissions_of(shard, user, now, outbox);
      break;
    case Introductions::Outcome::added:
      break;
  }
  shard.allocations.for_each_of(user, [&](Allocation& allocation) {
    if (!permit(shard.settings, allocation, *ip)) return;
    allocation.update_routes(std::nullopt, outbox);
    shard.allocations.schedule(allocation);
  });
  return true;
}

void end_introductions(Shard& shard, std::string_view call, Instant now, Outbox& outbox) {
  for (const std::string& user : shard.introductions.end(call)) {
    end_permissions_of(shard, user, now, outbox);
  }
}

void permit_introduced(Shard& shard, Allocation& allocation) {
  shard.introductions.for_each_of(allocation.quota.user(),
                                  [&](const AllowedIp& ip) { (void)permit(shard.settings, allocation, ip); });
}

std::string_view broken_rule_of_introductions(Shard& shard) {
  std::string_view broken = shard.introductions.broken_invariant();
  shard.allocations.for_each([&](const Allocation& allocation) {
    for (const Permission& permission : allocation.permissions) {
      const bool has_call = shard.introductions.contains(allocation.quota.user(), permission.ip.on_wire());
      if (permission.is_introduced() && !has_call) broken = "a permission without end has its call";
      if (!permission.is_introduced() && permission.expires_at != permission.asked_until) {
        broken = "a permission without a call ends as the client asked";
      }
    }
    const std::size_t introduced = allocation.introduced_permissions();
    if (introduced > introduced_limit(shard.settings)) broken = "introductions stay within their limit";
    if (allocation.permissions.size() - introduced > shard.settings.permissions_limit) {
      broken = "a client asks for permissions within the limit";
    }
  });
  return broken;
}

}  // namespace offhook::turn
