#include "core/turn/allocation.h"

#include <algorithm>

namespace offhook::turn {
namespace {

constexpr std::array<Family, 2> kFamilies = {Family::ipv4, Family::ipv6};

}  // namespace

const Permission* Allocation::find_permission(const Ip& on_wire) const {
  const auto found = std::ranges::find_if(
      permissions, [&](const Permission& permission) { return permission.ip.on_wire() == on_wire; });
  return found == permissions.end() ? nullptr : &*found;
}

const Channel* Allocation::find_channel(const Address& on_wire) const {
  const auto found = std::ranges::find_if(
      channels, [&](const Channel& channel) { return channel.peer.on_wire() == on_wire; });
  return found == channels.end() ? nullptr : &*found;
}

const Channel* Allocation::find_channel(std::uint16_t number) const {
  const auto found = std::ranges::find(channels, number, &Channel::number);
  return found == channels.end() ? nullptr : &*found;
}

const AllowedIp* Allocation::permitted(const Ip& on_wire, Instant now) const {
  const Permission* permission = find_permission(on_wire);
  return permission != nullptr && now < permission->expires_at ? &permission->ip : nullptr;
}

bool Allocation::counts(Family family) const {
  const Relay::State state = relay(family).state;
  return state == Relay::State::opening || state == Relay::State::open;
}

void Allocation::expire_at(Instant when) {
  for (Relay& relay : relays) relay.expires_at = when;
  expires_at = when;
}

void Allocation::expire_at(Family family, Instant when) {
  relay(family).expires_at = when;
  expires_at = when;
  for (const Family each : kFamilies) {
    if (counts(each)) expires_at = std::max(expires_at, relay(each).expires_at);
  }
}

void Allocation::install_permission(const AllowedIp& ip, Instant expires_at_) {
  for (Permission& permission : permissions) {
    if (permission.ip.on_wire() != ip.on_wire()) continue;
    permission = {ip, std::max(permission.expires_at, expires_at_),
                  std::max(permission.asked_until, expires_at_)};
    return;
  }
  permissions.push_back({ip, expires_at_, expires_at_});
}

void Allocation::introduce_permission(const AllowedIp& ip) {
  for (Permission& permission : permissions) {
    if (permission.ip.on_wire() != ip.on_wire()) continue;
    permission.expires_at = kNever;
    return;
  }
  permissions.push_back({ip, kNever, Instant{}});
}

std::size_t Allocation::asked_permissions(Instant now) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      permissions, [&](const Permission& permission) { return now < permission.asked_until; }));
}

std::size_t Allocation::introduced_permissions() const {
  return static_cast<std::size_t>(std::ranges::count_if(permissions, &Permission::is_introduced));
}

bool Allocation::has_asked_for(const Ip& on_wire, Instant now) const {
  const Permission* permission = find_permission(on_wire);
  return permission != nullptr && now < permission->asked_until;
}

void Allocation::bind_channel(const AllowedPeer& peer, std::uint16_t number, bool leads_to_relay,
                              Instant expires_at_) {
  for (Channel& channel : channels) {
    if (channel.number != number) continue;
    channel.expires_at = expires_at_;
    channel.leads_to_relay = leads_to_relay;
    return;
  }
  channels.push_back({peer, number, leads_to_relay, expires_at_, Instant{}});
}

const Hop* Allocation::find_hop(const Address& relayed_address) const {
  const auto found = std::ranges::find(hops, relayed_address, &Hop::relayed_address);
  return found == hops.end() ? nullptr : &*found;
}

void Allocation::install_hop(const Hop& hop) {
  auto place = std::ranges::find(hops, hop.relayed_address, &Hop::relayed_address);
  if (place == hops.end() && hops.size() < kHopsLimit) {
    hops.push_back(hop);
    return;
  }
  if (place == hops.end()) {
    place = std::ranges::find_if(
        hops, [&](const Hop& each) { return find_channel(each.relayed_address) == nullptr; });
  }
  if (place != hops.end()) *place = hop;
}

void Allocation::remove_hop(const Address& relayed_address, std::uint32_t incarnation) {
  std::erase_if(hops, [&](const Hop& hop) {
    return hop.relayed_address == relayed_address && hop.incarnation == incarnation;
  });
}

void Allocation::remove_route(const Channel& channel, Outbox& outbox) const {
  const Address peer_address = channel.peer.on_wire();
  const Relay& own = relay(peer_address.family());
  outbox.push_back(RemoveRoute{{id, peer_address.family()}, channel.number});
  if (channel.leads_to_relay) outbox.push_back(RemoveHop{peer_address, own.address, own.incarnation});
}

void Allocation::remove_expired_permissions(Instant now) {
  std::erase_if(permissions, [&](const Permission& permission) { return permission.expires_at <= now; });
  for (Channel& channel : channels) {
    // The route has run out with the permission; a new permission installs it again.
    if (find_permission(channel.peer.ip().on_wire()) == nullptr) channel.route_expires_at = Instant{};
  }
}

void Allocation::remove_expired(Instant now, Outbox& outbox) {
  for (const Family family : kFamilies) {
    if (relays_family(family) && relay(family).expires_at <= now) close_relay(family, outbox);
  }
  for (const Channel& channel : channels) {
    if (channel.expires_at <= now) remove_route(channel, outbox);
  }
  std::erase_if(hops, [&](const Hop& hop) { return hop.expires_at <= now; });
  std::erase_if(channels, [&](const Channel& channel) { return channel.expires_at <= now; });
  remove_expired_permissions(now);
  // Most allocations go idle with nothing in them; give the memory back then.
  if (channels.empty()) channels.shrink_to_fit();
  if (permissions.empty()) permissions.shrink_to_fit();
  if (hops.empty()) hops.shrink_to_fit();
}

void Allocation::close_relay(Family family, Outbox& outbox) {
  const auto in_family = [&](const Ip& ip) { return ip.family() == family; };
  for (const Channel& channel : channels) {
    if (in_family(channel.peer.ip().on_wire())) remove_route(channel, outbox);
  }
  std::erase_if(channels, [&](const Channel& channel) { return in_family(channel.peer.ip().on_wire()); });
  std::erase_if(permissions,
                [&](const Permission& permission) { return in_family(permission.ip.on_wire()); });
  std::erase_if(hops, [&](const Hop& hop) { return in_family(hop.relayed_address.ip); });
  relay(family).state = Relay::State::closed;
  const Family other = family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
  if (counts(other)) expires_at = relay(other).expires_at;
  outbox.push_back(CloseRelaySocket{{id, family}});
}

void Allocation::update_routes(std::optional<std::uint16_t> bound, Outbox& outbox) {
  for (Channel& channel : channels) {
    const Address peer_address = channel.peer.on_wire();
    const Permission* permission = find_permission(peer_address.ip);
    const Instant permitted_until = permission == nullptr ? Instant{} : permission->expires_at;
    const Relay& own = relay(peer_address.family());
    const Instant until = std::min({channel.expires_at, permitted_until, own.expires_at});
    if (until == channel.route_expires_at && channel.number != bound) continue;
    channel.route_expires_at = until;
    outbox.push_back(InstallRoute{client, {id, peer_address.family()}, channel.number, peer_address, until});
    if (!channel.leads_to_relay) continue;
    outbox.push_back(InstallHop{peer_address, {own.address, own.incarnation, client, channel.number, until}});
  }
}

void Allocation::close_everything(Outbox& outbox) const {
  for (const Channel& channel : channels) remove_route(channel, outbox);
  for (const Family family : kFamilies) {
    if (relays_family(family)) outbox.push_back(CloseRelaySocket{{id, family}});
  }
}

Instant Allocation::next_event() const {
  Instant earliest = expires_at;
  for (const Family family : kFamilies) {
    if (counts(family)) earliest = std::min(earliest, relay(family).expires_at);
  }
  for (const Permission& permission : permissions) earliest = std::min(earliest, permission.expires_at);
  for (const Channel& channel : channels) earliest = std::min(earliest, channel.expires_at);
  return earliest;
}

}  // namespace offhook::turn
