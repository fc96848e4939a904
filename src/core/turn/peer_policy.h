#pragma once
// The one gate to peers (RFC 8656 section 21.1.5 and docs/architecture.md, "Peers"). Only PeerPolicy makes an
// AllowedIp or an AllowedPeer, and only these can be stored in a permission or a channel or be sent to: a
// path that skips the gate does not compile.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/address.h"
#include "core/turn/ports.h"
#include "core/turn/settings.h"

namespace offhook::turn {

// A peer's IP address that passed the gate: as the client names it, and as packets on the wire carry it. They
// differ for a relay of this machine behind 1:1 NAT, which the client knows by its external address.
class AllowedIp {
 public:
  const Ip& named() const { return named_; }
  const Ip& on_wire() const { return on_wire_; }
  // An address of this machine that no allow entry names: here only live relayed addresses are peers, so
  // every port needs a look.
  bool is_own() const { return is_own_; }

 private:
  friend class PeerPolicy;
  AllowedIp(const Ip& named, const Ip& on_wire, bool is_own)
      : named_(named), on_wire_(on_wire), is_own_(is_own) {}

  Ip named_;
  Ip on_wire_;
  bool is_own_ = false;
};

// A peer's IP address and port that passed the gate.
class AllowedPeer {
 public:
  const AllowedIp& ip() const { return ip_; }
  Address named() const { return {ip_.named(), port_}; }
  Address on_wire() const { return {ip_.on_wire(), port_}; }

 private:
  friend class PeerPolicy;
  AllowedPeer(const AllowedIp& ip, std::uint16_t port) : ip_(ip), port_(port) {}

  AllowedIp ip_;
  std::uint16_t port_ = 0;
};

// Services below this port are no ICE candidates, and answer to forged questions (DNS, NTP, LDAP).
inline constexpr std::uint16_t kPeerPortFirst = 1024;

// The IPv4 address inside an IPv6 one: mapped, compatible, SIIT, 6to4, NAT64 (64:ff9b::/96 and
// 64:ff9b:1::/48), Teredo (the client's), ISATAP. Nothing for any other address; `::` and `::1` embed
// nothing.
std::optional<Ip> embedded_ipv4(const Ip& ip);

// Order of judgement: `::` and `0.0.0.0` are never peers; the addresses of this machine (loopback is among
// them), where live relayed addresses alone are peers unless an entry of full length in settings.allow_peers
// names the address; settings.allow_peers; settings.deny_peers; what is not public (base/public_ip.h).
// An allow entry never opens the IPv4 address inside an IPv6 one: that one must be allowed itself. The
// server's own listening addresses are never peers.
class PeerPolicy {
 public:
  // Borrows `live_relays`, which must outlive it.
  PeerPolicy(const Settings& settings, const LiveRelays& live_relays);

  // For CreatePermission, which names no port. Nothing: refused (403).
  std::optional<AllowedIp> allow(const Ip& named) const;
  // For ChannelBind. Nothing: refused (403).
  std::optional<AllowedPeer> allow(const Address& named) const;
  // For Send indications, whose IP address a permission holds.
  std::optional<AllowedPeer> allow_port(const AllowedIp& ip, std::uint16_t port) const;

  // False once a peer that is a relay of this machine has closed: its port may belong to somebody else by
  // now.
  bool still_allowed(const AllowedPeer& peer) const { return !peer.ip().is_own() || live(peer.on_wire()); }
  // May a packet from this address use the permission `permitted`, whose IP address it has? Not from a port
  // that nothing may be sent to.
  bool admits(const AllowedIp& permitted, const Address& on_wire) const {
    return on_wire.port >= kPeerPortFirst && !listens_at(on_wire) && (!permitted.is_own() || live(on_wire));
  }

  // What the wire carries for an address that a client names: the bound address for an external one of this
  // machine, or else the same.
  Ip on_wire(const Ip& named) const;
  // The external address of a relayed address.
  Address external(const Address& relayed_address) const;

 private:
  bool live(const Address& on_wire) const { return live_relays_.contains(on_wire); }
  std::optional<AllowedIp> allow_own(const Ip& named) const;
  bool listens_at(const Address& on_wire) const;
  bool is_own(const Ip& ip) const;
  bool lifted(const Ip& ip) const;
  bool denied(const Ip& ip) const;

  const LiveRelays& live_relays_;
  std::vector<Prefix> allow_;
  std::vector<Prefix> deny_;  // the operator's
  std::vector<Ip> own_;
  std::vector<Ip> relay_ips_;
  std::vector<Address> listen_;
  std::vector<std::pair<Ip, Ip>> external_;  // (bound, external)
};

}  // namespace offhook::turn
