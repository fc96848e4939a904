#pragma once
// What an operator may set for the relay. The defaults are the server's defaults.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"

namespace offhook::relay {

struct RelaySettings {
  // Where clients reach the relay, over UDP and TCP. Empty: every address of every interface that is up.
  // 0.0.0.0 and
  // :: stand for every such address of their family.
  std::vector<Ip> listen_addresses;
  std::uint16_t port = 3478;  // 0: a free port, the same on every address and transport
  // Where peers reach the relay: all addresses of a family serve all clients in turn. Empty: the address that
  // the client reached or, for the other family, the first listen address of that family.
  std::vector<Ip> relay_addresses;
  // 1:1 NAT: (address of this machine, what the world sees).
  std::vector<std::pair<Ip, Ip>> external_addresses;
  std::uint16_t relay_port_first = 49152;  // inclusive, as is relay_port_last
  std::uint16_t relay_port_last = 65535;
  unsigned shards = 0;          // threads of the data path; 0: one a core
  std::size_t user_quota = 0;   // allocations at once of one user; 0: unlimited
  std::size_t total_quota = 0;  // allocations at once in all; 0: unlimited
  std::string realm = "offhook";
  std::chrono::seconds nonce_lifetime{3600};
  std::chrono::seconds lifetime_default{600};
  std::chrono::seconds lifetime_limit{3600};
  std::chrono::seconds permission_lifetime{300};
  std::chrono::seconds channel_lifetime{600};
  bool rfc5766_channels = false;  // let clients bind channels up to 0x7FFF, as before RFC 8656
  // Peers beyond the default deny list of core/turn/peer_policy.h. `allow_peers` wins over `deny_peers`.
  std::vector<Prefix> allow_peers;
  std::vector<Prefix> deny_peers;
};

}  // namespace offhook::relay
