#include "core/turn/peer_policy.h"

#include <algorithm>

#include "base/public_ip.h"

namespace offhook::turn {
namespace {

bool any_contains(const std::vector<Prefix>& prefixes, const Ip& ip) {
  return std::ranges::any_of(prefixes, [&](const Prefix& entry) { return entry.contains(ip); });
}

template <typename T>
bool is_one_of(const std::vector<T>& all, const T& one) {
  return std::ranges::find(all, one) != all.end();
}

Prefix full_length(const Ip& ip) { return Prefix(ip, ip.is_v4() ? 32 : 128); }

bool starts_with(Bytes octets, std::initializer_list<std::uint8_t> head) {
  return std::equal(head.begin(), head.end(), octets.begin());
}

Ip ipv4_at(Bytes octets, std::size_t at) {
  return Ip::v4({octets[at], octets[at + 1], octets[at + 2], octets[at + 3]});
}

}  // namespace

std::optional<Ip> embedded_ipv4(const Ip& ip) {
  if (ip.is_v4() || ip.is_unspecified() || ip.is_loopback()) return std::nullopt;
  const Bytes octets = ip.octets();
  const bool zeros_8 = starts_with(octets, {0, 0, 0, 0, 0, 0, 0, 0});
  if (zeros_8 && octets[8] == 0 && octets[9] == 0) {
    const bool compatible = octets[10] == 0 && octets[11] == 0;
    const bool mapped = octets[10] == 0xFF && octets[11] == 0xFF;
    if (compatible || mapped) return ipv4_at(octets, 12);
  }
  const bool siit = zeros_8 && octets[8] == 0xFF && octets[9] == 0xFF && octets[10] == 0 && octets[11] == 0;
  if (siit) return ipv4_at(octets, 12);
  if (starts_with(octets, {0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return ipv4_at(octets, 12);
  if (starts_with(octets, {0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01})) {
    // RFC 6052 section 2.2, prefix length 48: the address goes around octet 8.
    return Ip::v4({octets[6], octets[7], octets[9], octets[10]});
  }
  if (starts_with(octets, {0x20, 0x02})) return ipv4_at(octets, 2);
  if (starts_with(octets, {0x20, 0x01, 0x00, 0x00})) {
    const auto flipped = [&](std::size_t at) { return static_cast<std::uint8_t>(~octets[at] & 0xFFU); };
    return Ip::v4({flipped(12), flipped(13), flipped(14), flipped(15)});
  }
  if (is_isatap(ip)) return ipv4_at(octets, 12);
  return std::nullopt;
}

PeerPolicy::PeerPolicy(const Settings& settings, const LiveRelays& live_relays)
    : live_relays_(live_relays),
      allow_(settings.allow_peers),
      deny_(settings.deny_peers),
      own_(settings.own_addresses),
      relay_ips_(settings.relay_ips),
      listen_(settings.listen_addresses),
      external_(settings.external_addresses) {}

std::optional<AllowedIp> PeerPolicy::allow(const Ip& named) const {
  if (named.is_unspecified()) return std::nullopt;
  if (is_own(named)) return allow_own(named);
  if (!lifted(named) && denied(named)) return std::nullopt;
  return AllowedIp(named, named, false);
}

std::optional<AllowedIp> PeerPolicy::allow_own(const Ip& named) const {
  // Who allows a whole network means its hosts, not what else runs on this machine. An entry for the external
  // address alone opens no ports of this machine either.
  const Ip bound = on_wire(named);
  const bool opened = is_one_of(allow_, full_length(named)) && is_one_of(allow_, full_length(bound));
  if (opened) return AllowedIp(named, bound, false);
  const bool may_hold_relays = !named.is_loopback() || is_one_of(relay_ips_, named);
  if (!may_hold_relays) return std::nullopt;
  return AllowedIp(named, bound, true);
}

std::optional<AllowedPeer> PeerPolicy::allow(const Address& named) const {
  const auto ip = allow(named.ip);
  if (!ip) return std::nullopt;
  return allow_port(*ip, named.port);
}

std::optional<AllowedPeer> PeerPolicy::allow_port(const AllowedIp& ip, std::uint16_t port) const {
  if (port < kPeerPortFirst) return std::nullopt;
  const AllowedPeer peer(ip, port);
  if (listens_at(peer.on_wire()) || !still_allowed(peer)) return std::nullopt;
  return peer;
}

Ip PeerPolicy::on_wire(const Ip& named) const {
  for (const auto& [bound, external] : external_) {
    if (external == named) return bound;
  }
  return named;
}

Address PeerPolicy::external(const Address& relayed_address) const {
  for (const auto& [bound, external] : external_) {
    if (bound == relayed_address.ip) return {external, relayed_address.port};
  }
  return relayed_address;
}

bool PeerPolicy::listens_at(const Address& on_wire) const { return is_one_of(listen_, on_wire); }

bool PeerPolicy::is_own(const Ip& ip) const {
  if (ip.is_loopback() || is_one_of(own_, ip) || is_one_of(relay_ips_, ip)) return true;
  return std::ranges::any_of(
      external_, [&](const std::pair<Ip, Ip>& entry) { return entry.first == ip || entry.second == ip; });
}

bool PeerPolicy::lifted(const Ip& ip) const {
  if (!any_contains(allow_, ip)) return false;
  const auto inner = embedded_ipv4(ip);
  if (!inner) return true;
  if (inner->is_unspecified() || is_own(*inner)) return false;
  return any_contains(allow_, *inner) || !denied(*inner);
}

bool PeerPolicy::denied(const Ip& ip) const { return any_contains(deny_, ip) || !is_public(ip); }

}  // namespace offhook::turn
