#pragma once
// What an operator may set for the relay. The defaults are the server's defaults.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "io/tls/server_certificates.h"

namespace offhook::relay {

// The kernel program that relays the packets of bound channels (io/fastpath). automatic: XDP, else TC, else
// none.
enum class FastPathChoice : std::uint8_t { automatic, off, xdp, tc };
// automatic: while nothing filters the packets of the machine's processes, for these would go past it.
enum class PacketSocketChoice : std::uint8_t { automatic, on, off };

struct RelaySettings {
  // Where clients reach the relay, over UDP and TCP. Empty: every address of every interface that is up.
  // 0.0.0.0 and
  // :: stand for every such address of their family.
  std::vector<Ip> listen_addresses;
  std::uint16_t port = 3478;  // 0: a free port, the same on every address and transport
  // Ports for TLS, TURN over TCP and HTTP, each told by its first bytes. 0: a free port.
  std::vector<std::uint16_t> tls_ports;
  bool go_on_without_tls_ports = false;  // where another program has one: a warning instead of an error
  // What TLS shows, there and over TCP on `port`. Null: no TLS.
  std::shared_ptr<const io::ServerCertificates> certificates;
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
  // Payload that an allocation may relay each way, more is dropped; 0: unlimited. The fast path counts for
  // itself.
  std::uint64_t payload_bytes_per_s = 0;
  std::string realm = "offhook";
  std::chrono::seconds nonce_lifetime{3600};
  std::chrono::seconds lifetime_default{600};
  std::chrono::seconds lifetime_limit{3600};
  std::chrono::seconds permission_lifetime{300};
  std::chrono::seconds channel_lifetime{600};
  bool rfc5766_channels = false;  // let clients bind channels up to 0x7FFF, as before RFC 8656
  bool peers_by_call = false;     // only addresses that a call has introduced to a user are its peers
  // New allocations are sent on to the first of these that has the client's family; none: they are served.
  std::vector<Address> alternate_servers;
  FastPathChoice fast_path = FastPathChoice::automatic;
  std::uint32_t fast_path_channels = 16384;  // at once; those beyond go through sockets
  bool raw_sockets = true;  // send through raw sockets where the process may; false: each through its own
  PacketSocketChoice packet_sockets = PacketSocketChoice::automatic;  // beside raw sockets
  bool xdp_sockets = true;    // beside packet sockets, where no interface queues or filters what leaves
  bool socket_lookup = true;  // one receive socket a shard where the process may; false: one a relay port
  bool hops = true;  // false, for comparison: clients of this server reach each other through relay sockets
  // Peers beyond the default deny list of core/turn/peer_policy.h. `allow_peers` wins over `deny_peers`.
  std::vector<Prefix> allow_peers;
  std::vector<Prefix> deny_peers;
};

}  // namespace offhook::relay
