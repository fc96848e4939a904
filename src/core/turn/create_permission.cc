// CreatePermission (RFC 8656 section 10.2): several peers, all or nothing.

#include <algorithm>
#include <vector>

#include "core/turn/request.h"
#include "wire/stun/attr_xor_address.h"

namespace offhook::turn {
namespace {

using stun::ErrorCode;

// 400, 403 or 443.
Result<std::vector<AllowedIp>, ErrorCode> parse_peers(const Request& request) {
  std::vector<AllowedIp> peers;
  for (const stun::Attribute& attribute : request.message.attributes()) {
    if (attribute.type != static_cast<std::uint16_t>(stun::AttributeType::xor_peer_address)) continue;
    const auto named = stun::parse_xor_address(attribute.value, request.message.transaction_id());
    if (!named) return fail(ErrorCode::bad_request);
    if (!request.allocation->relays_family(named->family()))
      return fail(ErrorCode::peer_address_family_mismatch);
    const auto allowed = request.shard.policy.allow(named->ip);
    if (!allowed || !request.admits(*allowed)) {
      request.audit(AuditEvent::peer_refused, *named);
      return fail(ErrorCode::forbidden);
    }
    const bool twice = std::ranges::any_of(
        peers, [&](const AllowedIp& peer) { return peer.on_wire() == allowed->on_wire(); });
    if (!twice) peers.push_back(*allowed);
  }
  if (peers.empty()) return fail(ErrorCode::bad_request);
  return peers;
}

}  // namespace

void handle_create_permission(Request& request) {
  const auto peers = parse_peers(request);
  if (!peers) return request.refuse(peers.error());
  Allocation& allocation = *request.allocation;
  const Instant now = request.now.monotonic;
  const auto added = std::ranges::count_if(
      *peers, [&](const AllowedIp& peer) { return !allocation.has_asked_for(peer.on_wire(), now); });
  const std::size_t total = allocation.asked_permissions(now) + static_cast<std::size_t>(added);
  if (added > 0 && total > request.shard.settings.permissions_limit) {
    return request.refuse(ErrorCode::insufficient_capacity);
  }
  const Instant expires_at = now + request.shard.settings.permission_lifetime;
  for (const AllowedIp& peer : *peers) allocation.install_permission(peer, expires_at);
  request.succeed([](stun::MessageBuilder&) {});
  allocation.update_routes(std::nullopt, request.outbox);
  request.shard.allocations.schedule(allocation);
}

}  // namespace offhook::turn
