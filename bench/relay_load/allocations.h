#pragma once
// Makes allocations with one bound channel each, as fast as the server answers (RFC 8656 sections 7 and 12,
// long-term credentials of RFC 8489 section 9.2 under ephemeral usernames).

#include <cstdint>
#include <string>
#include <vector>

#include "base/redact.h"
#include "base/result.h"
#include "relay_load/message_sockets.h"

namespace offhook::bench {

struct Allocation {
  std::uint32_t client_ip = 0;
  Endpoint server;  // that the client sends to
  Endpoint peer;
  std::uint16_t channel_number =
      0;  // none where the network address translation of forwarded_flows() is the relay
  Endpoint relayed;
};

// Clients 2n and 2n+1 are a pair.
constexpr std::size_t partner_of(std::size_t client) { return client ^ 1U; }

struct AllocationPlan {
  Endpoint server;
  std::size_t count = 0;
  std::uint32_t first_client_ip = 0;  // client i sends from first_client_ip + i
  std::uint32_t first_peer_ip = 0;
  std::uint16_t peer_port = 0;
  Secret shared_secret;
  std::int64_t expiry_unix_s = 0;  // of the ephemeral usernames
  bool in_pairs = false;  // the peer of a client is the other's relayed address; then `count` is even
};

// Flows through a router instead, whose NAT sends port `first_port` + i of plan.server to peer i, and what
// client i has sent from `outer`.
std::vector<Allocation> forwarded_flows(const AllocationPlan& plan, std::uint16_t first_port,
                                        const Endpoint& outer);

// Asks with Binding requests until the server answers. The error: it did not within the time.
Result<void, std::string> wait_for_server(MessageSockets& clients, const AllocationPlan& plan,
                                          double timeout_s);

// The error names the first request that was refused or never answered.
Result<std::vector<Allocation>, std::string> make_allocations(MessageSockets& clients,
                                                              const AllocationPlan& plan);

}  // namespace offhook::bench
