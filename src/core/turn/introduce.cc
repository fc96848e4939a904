#include "core/turn/introduce.h"

#include <string>

namespace offhook::turn {
namespace {

// A full table of permissions, or a family that the allocation does not relay, leaves the client without.
bool permit(const Settings& settings, Allocation& allocation, const AllowedIp& ip) {
  if (!allocation.is_live() || !allocation.relays_family(ip.on_wire().family())) return false;
  const bool is_new = allocation.find_permission(ip.on_wire()) == nullptr;
  if (is_new && allocation.permissions.size() >= settings.permissions_limit) return false;
  allocation.install_permission(ip, kNever);
  return true;
}

void end_permissions_of(Shard& shard, std::string_view user, Instant now, Outbox& outbox) {
  shard.allocations.for_each_of(user, [&](Allocation& allocation) {
    bool changed = false;
    for (Permission& permission : allocation.permissions) {
      if (permission.expires_at != kNever) continue;
      if (shard.introductions.contains(user, permission.ip.on_wire())) continue;
      permission.expires_at = now + shard.settings.permission_lifetime;
      changed = true;
    }
    if (!changed) return;
    allocation.update_routes(std::nullopt, outbox);
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
      const bool is_introduced =
          shard.introductions.contains(allocation.quota.user(), permission.ip.on_wire());
      if (permission.expires_at == kNever && !is_introduced) broken = "a permission without end has its call";
    }
  });
  return broken;
}

}  // namespace offhook::turn
