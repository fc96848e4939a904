#pragma once
// What passes through allocations. Nothing here allocates, and each packet from a client costs one hash
// lookup.

#include "core/turn/shard.h"
#include "core/turn/types.h"
#include "wire/stun/message.h"

namespace offhook::turn {

// ChannelData from a client (RFC 8656 section 12.6): to the peer or, where the peer is a relayed address with
// a channel back, to that one's client.
Forward forward_channel_data(Shard& shard, const FiveTuple& five_tuple, const Packet& packet, Instant now);
// A Send indication (RFC 8656 section 11.2).
Forward forward_send_indication(Shard& shard, const FiveTuple& five_tuple, const stun::Message& message,
                                Instant now);
// A datagram at a relay socket (RFC 8656 section 11.3 and 12.7): ChannelData if the peer has a channel, or
// else a Data indication, written around the datagram in its own buffer.
Forward forward_peer_datagram(Shard& shard, const RelayId& relay, const Address& peer_address,
                              const Packet& packet, Instant now);
// A Data indication that says which ICMP error a peer's side sent (RFC 8656 section 11.5). Nothing if the
// client is not to know.
struct IcmpError {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t error_data = 0;
};
std::optional<SendToClient> icmp_indication(Shard& shard, const RelayId& relay, const Address& peer_address,
                                            const IcmpError& error, Instant now);

}  // namespace offhook::turn
