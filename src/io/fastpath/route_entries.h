#pragma once
// A bound channel as the kernel program sees it: one route a direction.

#include <cstdint>

#include "base/address.h"
#include "base/time.h"
#include "wire/route_abi.h"

namespace offhook::io {

struct RelayedChannel {
  Address client_address;
  Address listen_address;
  Address relayed_address;  // as bound
  Address peer_address;     // as packets on the wire carry it
  std::uint16_t channel_number = 0;
  bool to_own_relay = false;  // the peer's address is one that this server relays from
  Instant expires_at;
  std::uint32_t account = 0;
};

struct RouteEntry {
  route_abi::route_key key;
  route_abi::route value;
};

RouteEntry route_to_peer(const RelayedChannel& channel);
RouteEntry route_to_client(const RelayedChannel& channel);

}  // namespace offhook::io
