#pragma once
// A channel binding: a number that stands for a peer address, for both ways (RFC 8656 section 12).

#include <cstdint>

#include "base/time.h"
#include "core/turn/peer_policy.h"

namespace offhook::turn {

struct Channel {
  AllowedPeer peer;
  std::uint16_t number = 0;
  bool leads_to_relay = false;  // the peer was a live relayed address of this server when last bound
  Instant expires_at;
  // Until when packets pass: the earliest of this binding, the peer's permission and the allocation. Kept up
  // to date by Allocation::update_routes, so that the data path compares once.
  Instant route_expires_at;
};

}  // namespace offhook::turn
