#include "core/turn/allocation.h"

#include <algorithm>

namespace offhook::turn {

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

void Allocation::install_permission(const AllowedIp& ip, Instant expires_at_) {
  for (Permission& permission : permissions) {
    if (permission.ip.on_wire() != ip.on_wire()) continue;
    permission = {ip, expires_at_};
    return;
  }
  permissions.push_back({ip, expires_at_});
}

void Allocation::bind_channel(const AllowedPeer& peer, std::uint16_t number, Instant expires_at_) {
  for (Channel& channel : channels) {
    if (channel.number != number) continue;
    channel.expires_at = expires_at_;
    return;
  }
  channels.push_back({peer, number, expires_at_, Instant{}});
}

void Allocation::remove_expired(Instant now, Outbox& outbox) {
  for (const Channel& channel : channels) {
    if (channel.expires_at > now) continue;
    outbox.push_back(RemoveRoute{{id, channel.peer.on_wire().family()}, channel.number});
  }
  std::erase_if(channels, [&](const Channel& channel) { return channel.expires_at <= now; });
  std::erase_if(permissions, [&](const Permission& permission) { return permission.expires_at <= now; });
  for (Channel& channel : channels) {
    // The route has run out with the permission; a new permission installs it again.
    if (find_permission(channel.peer.ip().on_wire()) == nullptr) channel.route_expires_at = Instant{};
  }
  // Most allocations go idle with nothing in them; give the memory back then.
  if (channels.empty()) channels.shrink_to_fit();
  if (permissions.empty()) permissions.shrink_to_fit();
}

void Allocation::close_relay(Family family, Outbox& outbox) {
  const auto in_family = [&](const Ip& ip) { return ip.family() == family; };
  for (const Channel& channel : channels) {
    if (in_family(channel.peer.ip().on_wire())) outbox.push_back(RemoveRoute{{id, family}, channel.number});
  }
  std::erase_if(channels, [&](const Channel& channel) { return in_family(channel.peer.ip().on_wire()); });
  std::erase_if(permissions,
                [&](const Permission& permission) { return in_family(permission.ip.on_wire()); });
  relay(family).state = Relay::State::closed;
  outbox.push_back(CloseRelaySocket{{id, family}});
}

void Allocation::update_routes(std::optional<std::uint16_t> bound, Outbox& outbox) {
  for (Channel& channel : channels) {
    const Address peer_address = channel.peer.on_wire();
    const Permission* permission = find_permission(peer_address.ip);
    const Instant permitted_until = permission == nullptr ? Instant{} : permission->expires_at;
    const Instant until = std::min({channel.expires_at, permitted_until, expires_at});
    if (until == channel.route_expires_at && channel.number != bound) continue;
    channel.route_expires_at = until;
    outbox.push_back(InstallRoute{client, {id, peer_address.family()}, channel.number, peer_address, until});
  }
}

void Allocation::close_everything(Outbox& outbox) const {
  for (const Channel& channel : channels) {
    outbox.push_back(RemoveRoute{{id, channel.peer.on_wire().family()}, channel.number});
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (relays_family(family)) outbox.push_back(CloseRelaySocket{{id, family}});
  }
}

Instant Allocation::next_event() const {
  Instant earliest = expires_at;
  for (const Permission& permission : permissions) earliest = std::min(earliest, permission.expires_at);
  for (const Channel& channel : channels) earliest = std::min(earliest, channel.expires_at);
  return earliest;
}

}  // namespace offhook::turn
