#pragma once
// What an operator may set for the TURN core. service/settings fills it; the defaults are the server's
// defaults.

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"

namespace offhook::turn {

// open: every peer that the gate lets pass. call: of these, only addresses that a call has introduced to the
// user.
enum class PeerRule : std::uint8_t { open, call };

struct Settings {
  std::string realm = "offhook";
  std::array<std::uint8_t, 32> nonce_key{};   // the same in every shard of a process
  std::chrono::seconds nonce_lifetime{3600};  // at most an hour (RFC 8656 section 5)
  std::chrono::seconds lifetime_default{600};
  std::chrono::seconds lifetime_limit{3600};
  std::chrono::seconds permission_lifetime{300};
  std::chrono::seconds channel_lifetime{600};
  // RFC 8656 section 12 ends at 0x4FFF. Clients of RFC 5766 may choose up to 0x7FFF.
  std::uint16_t channel_number_last = 0x4FFF;
  // That a client asks for, an allocation; ICE peers name up to 100 candidates. Calls introduce at most half
  // as many, beside these: whoever calls takes nothing from the client's own.
  std::size_t permissions_limit = 128;
  std::size_t channels_limit = 128;  // an allocation
  // Of payload, that an allocation may relay each way (payload_limit.h); 0: no limit. Over a hop only the
  // sender's counts.
  std::uint64_t payload_bytes_per_s = 0;
  PeerRule peer_rule = PeerRule::open;
  // New allocations are sent on to the first of these that has the family of the client's address (300); with
  // none they are served. Clients on this machine are always served: the server's own test of its relay is
  // one.
  std::vector<Address> alternate_servers;
  // Peers beyond the default deny list (peer_policy.h). `allow` wins over `deny`.
  std::vector<Prefix> allow_peers;
  std::vector<Prefix> deny_peers;
  // Addresses of this machine: never a peer, but for live relayed addresses, and where `allow_peers` names
  // exactly this address.
  std::vector<Ip> own_addresses;
  // Where this server listens for UDP, as bound: never a peer, whatever is allowed.
  std::vector<Address> listen_addresses;
  // Relay sockets of any shard are bound to these: loopback, too, is then a place where peers can be.
  std::vector<Ip> relay_ips;
  // 1:1 NAT: (bound address, what the world sees). Applied to XOR-RELAYED-ADDRESS, and to peers that are
  // relays here.
  std::vector<std::pair<Ip, Ip>> external_addresses;
};

}  // namespace offhook::turn
