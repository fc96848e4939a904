// ChannelBind (RFC 8656 section 12.2): binds or refreshes, and installs the permission with it.

#include "core/turn/request.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/turn/attr_channel_number.h"
#include "wire/turn/channel_data.h"

namespace offhook::turn {
namespace {

using stun::AttributeType;
using stun::ErrorCode;

struct Binding {
  std::uint16_t number = 0;
  AllowedPeer peer;
};

// 400, 403 or 443.
Result<Binding, ErrorCode> parse_binding(const Request& request) {
  const stun::Attribute* number_attribute = request.message.find(AttributeType::channel_number);
  const stun::Attribute* peer_attribute = request.message.find(AttributeType::xor_peer_address);
  if (number_attribute == nullptr || peer_attribute == nullptr) return fail(ErrorCode::bad_request);
  const auto number = parse_channel_number(number_attribute->value);
  if (!number || !is_channel_number(*number)) return fail(ErrorCode::bad_request);
  if (*number > request.shard.settings.channel_number_last) return fail(ErrorCode::bad_request);
  const auto named = stun::parse_xor_address(peer_attribute->value, request.message.transaction_id());
  if (!named) return fail(ErrorCode::bad_request);
  if (!request.allocation->relays_family(named->family()))
    return fail(ErrorCode::peer_address_family_mismatch);
  const auto peer = request.shard.policy.allow(*named);
  if (!peer || !request.admits(peer->ip())) {
    request.audit(AuditEvent::peer_refused, *named);
    return fail(ErrorCode::forbidden);
  }
  return Binding{*number, *peer};
}

// 400: the number stands for another peer, or the peer has another number.
bool is_taken(const Allocation& allocation, const Binding& wanted) {
  const Channel* of_number = allocation.find_channel(wanted.number);
  const Channel* of_peer = allocation.find_channel(wanted.peer.on_wire());
  return of_number != of_peer;
}

}  // namespace

void handle_channel_bind(Request& request) {
  const auto wanted = parse_binding(request);
  if (!wanted) return request.refuse(wanted.error());
  Allocation& allocation = *request.allocation;
  const Settings& settings = request.shard.settings;
  if (is_taken(allocation, *wanted)) return request.refuse(ErrorCode::bad_request);
  const bool adds_channel = allocation.find_channel(wanted->number) == nullptr;
  const Instant now = request.now.monotonic;
  const bool adds_permission = !allocation.has_asked_for(wanted->peer.on_wire().ip, now);
  if ((adds_channel && allocation.channels.size() >= settings.channels_limit) ||
      (adds_permission && allocation.asked_permissions(now) >= settings.permissions_limit)) {
    return request.refuse(ErrorCode::insufficient_capacity);
  }
  allocation.install_permission(wanted->peer.ip(), now + settings.permission_lifetime);
  const bool leads_to_relay = request.shard.dependencies.live_relays.contains(wanted->peer.on_wire());
  allocation.bind_channel(wanted->peer, wanted->number, leads_to_relay, now + settings.channel_lifetime);
  request.succeed([](stun::MessageBuilder&) {});
  allocation.update_routes(wanted->number, request.outbox);
  request.shard.allocations.schedule(allocation);
}

}  // namespace offhook::turn
