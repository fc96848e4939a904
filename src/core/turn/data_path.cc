#include "core/turn/data_path.h"

#include <array>
#include <cassert>

#include "core/turn/request.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/turn/attr_icmp.h"
#include "wire/turn/channel_data.h"

namespace offhook::turn {
namespace {

using stun::AttributeType;

constexpr std::size_t kAttributeHeaderBytes = 4;
// Data indication with an IPv6 peer: header, XOR-PEER-ADDRESS, and the header of DATA.
constexpr std::size_t kIndicationHeadBytes =
    stun::kHeaderBytes + kAttributeHeaderBytes + 20 + kAttributeHeaderBytes;
static_assert(kIndicationHeadBytes <= kHeadroomBytes);
// The length field of the indication has 16 bits.
constexpr std::size_t kIndicationPayloadLimit = 65535 - kIndicationHeadBytes - kTailroomBytes;

Allocation* live_allocation(Shard& shard, const FiveTuple& five_tuple, Instant now) {
  Allocation* allocation = shard.allocations.find(five_tuple);
  return allocation != nullptr && allocation->live_at(now) ? allocation : nullptr;
}

Forward to_peer(const Allocation& allocation, const AllowedPeer& peer, Bytes payload) {
  Forward forward;
  forward.via = Forward::Via::peer;
  forward.peer_address = peer.on_wire();
  forward.relay = {allocation.id, forward.peer_address.family()};
  forward.bytes = payload;
  return forward;
}

Forward over_limit() {
  Forward forward;
  forward.over_limit = true;
  return forward;
}

Forward to_client(const Allocation& allocation, Bytes message) {
  Forward forward;
  forward.via = Forward::Via::client;
  forward.client = allocation.client;
  forward.bytes = message;
  return forward;
}

// A peer as the client named it when it asked for the permission: a relay of this machine behind 1:1 NAT by
// its external address.
Address named(const AllowedIp& permitted, const Address& on_wire) {
  return {permitted.named(), on_wire.port};
}

void zero(MutableBytes padding) {
  for (std::uint8_t& byte : padding) byte = 0;
}

Bytes as_channel_data(std::uint16_t number, Transport transport, const Packet& packet) {
  const std::size_t start = packet.offset - kChannelDataHeaderBytes;
  write_channel_data_header(packet.storage.subspan(start, kChannelDataHeaderBytes), number,
                            static_cast<std::uint16_t>(packet.size));
  // Datagrams say where they end; streams need the padding (RFC 8656 section 12.5).
  const std::size_t padded = transport == Transport::tcp ? padded_to_four(packet.size) : packet.size;
  zero(packet.storage.subspan(packet.offset + packet.size, padded - packet.size));
  return packet.storage.subspan(start, kChannelDataHeaderBytes + padded);
}

// The hop to this peer, if packets may take it now. Its far end vouches for channel and permission there
// until `expires_at`, as long as the relayed address is the one that it spoke of.
const Hop* usable_hop(const Shard& shard, const Allocation& allocation, const Address& peer_address,
                      Instant now) {
  const Hop* hop = allocation.find_hop(peer_address);
  if (hop == nullptr || hop->expires_at <= now) return nullptr;
  return shard.dependencies.live_relays.incarnation(peer_address) == hop->incarnation ? hop : nullptr;
}

// Streams need padding, for which frames of a stream have no room behind them. Such a pair of clients never
// hops, whatever the size, so that its packets keep their order.
bool fits_hop(const Hop& hop, const Packet& payload) {
  if (hop.client.five_tuple.transport == Transport::udp) return true;
  return payload.storage.size() >= payload.offset + payload.size + kTailroomBytes;
}

Forward over_hop(const Hop& hop, const Packet& payload) {
  Forward forward;
  forward.via = Forward::Via::hop;
  forward.client = hop.client;
  forward.bytes = as_channel_data(hop.channel_number, hop.client.five_tuple.transport, payload);
  return forward;
}

// The payload stays where it is: the head is built aside, for its size depends on the family, and put before
// it.
Bytes as_data_indication(const Address& peer_address, const stun::TransactionId& transaction_id,
                         const Packet& packet) {
  std::array<std::uint8_t, kIndicationHeadBytes> buffer{};
  stun::MessageBuilder builder(buffer, stun::MessageClass::indication, stun::Method::data, transaction_id);
  stun::add_xor_address(builder, AttributeType::xor_peer_address, peer_address);
  const std::size_t head_bytes = builder.finish().size();
  const std::size_t padded = padded_to_four(packet.size);

  const std::size_t start = packet.offset - head_bytes - kAttributeHeaderBytes;
  Writer head(packet.storage.subspan(start, head_bytes + kAttributeHeaderBytes));
  head.bytes(Bytes(buffer).first(head_bytes));
  head.u16(static_cast<std::uint16_t>(AttributeType::data));
  head.u16(static_cast<std::uint16_t>(packet.size));
  const std::size_t length = head_bytes + kAttributeHeaderBytes - stun::kHeaderBytes + padded;
  head.patch_u16(2, static_cast<std::uint16_t>(length));
  zero(packet.storage.subspan(packet.offset + packet.size, padded - packet.size));
  return packet.storage.subspan(start, stun::kHeaderBytes + length);
}

// RFC 8656 section 11.5: these say that packets do not arrive; no other may reach a client.
bool is_relayed_icmp(Family family, std::uint8_t type) {
  constexpr std::uint8_t kIpv4Unreachable = 3;
  constexpr std::uint8_t kIpv4TimeExceeded = 11;
  constexpr std::uint8_t kIpv6Unreachable = 1;
  constexpr std::uint8_t kIpv6TooBig = 2;
  constexpr std::uint8_t kIpv6TimeExceeded = 3;
  switch (family) {
    case Family::ipv4:
      return type == kIpv4Unreachable || type == kIpv4TimeExceeded;
    case Family::ipv6:
      return type == kIpv6Unreachable || type == kIpv6TooBig || type == kIpv6TimeExceeded;
  }
  return false;
}

std::uint64_t scrambled(std::uint64_t value) {  // the finalizer of splitmix64: a bijection
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31U);
}

}  // namespace

stun::TransactionId IndicationIds::next() {
  count_ += 1;
  stun::TransactionId id{};
  Writer writer(id);
  writer.u64(scrambled(key_ + count_ * 0x9E3779B97F4A7C15ULL));
  writer.u32(static_cast<std::uint32_t>(scrambled(head_ ^ count_) >> 32U));
  return id;
}

Forward forward_channel_data(Shard& shard, const FiveTuple& five_tuple, const Packet& packet, Instant now) {
  const auto channel_data = parse_channel_data(packet.bytes());
  if (!channel_data) return {};
  Allocation* allocation = live_allocation(shard, five_tuple, now);
  if (allocation == nullptr) return {};
  const Channel* channel = allocation->find_channel(channel_data->channel_number);
  if (channel == nullptr || channel->route_expires_at <= now) return {};
  const std::size_t payload_bytes = channel_data->payload.size();
  if (channel->leads_to_relay) {
    if (const Hop* hop = usable_hop(shard, *allocation, channel->peer.on_wire(), now)) {
      const Packet payload{packet.storage, packet.offset + kChannelDataHeaderBytes,
                           channel_data->payload.size()};
      if (fits_hop(*hop, payload)) {
        return allocation->to_peers.take(payload_bytes, shard.payload_rate, now) ? over_hop(*hop, payload)
                                                                                 : over_limit();
      }
    }
  }
  if (!shard.policy.still_allowed(channel->peer)) return {};
  if (!allocation->to_peers.take(payload_bytes, shard.payload_rate, now)) return over_limit();
  return to_peer(*allocation, channel->peer, channel_data->payload);
}

Forward forward_send_indication(Shard& shard, const FiveTuple& five_tuple, const stun::Message& message,
                                Instant now) {
  Allocation* allocation = live_allocation(shard, five_tuple, now);
  if (allocation == nullptr || has_unknown_attributes(message)) return {};
  const stun::Attribute* peer_attribute = message.find(AttributeType::xor_peer_address);
  const stun::Attribute* payload = message.find(AttributeType::data);
  if (peer_attribute == nullptr || payload == nullptr) return {};
  const auto peer_address = stun::parse_xor_address(peer_attribute->value, message.transaction_id());
  if (!peer_address) return {};
  const AllowedIp* permitted = allocation->permitted(shard.policy.on_wire(peer_address->ip), now);
  if (permitted == nullptr || !allocation->relays_at(permitted->on_wire().family(), now)) return {};
  const auto peer = shard.policy.allow_port(*permitted, peer_address->port);
  if (!peer) return {};
  if (!allocation->to_peers.take(payload->value.size(), shard.payload_rate, now)) return over_limit();
  Forward forward = to_peer(*allocation, *peer, payload->value);
  forward.dont_fragment = message.has(AttributeType::dont_fragment);
  return forward;
}

Forward forward_peer_datagram(Shard& shard, const RelayId& relay, const Address& peer_address,
                              const Packet& packet, Instant now) {
  assert(packet.offset >= kHeadroomBytes);
  assert(packet.storage.size() >= packet.offset + packet.size + kTailroomBytes);
  Allocation* allocation = shard.allocations.find(relay.allocation);
  if (allocation == nullptr || !allocation->live_at(now) || !allocation->relays_at(relay.family, now))
    return {};
  if (const Channel* channel = allocation->find_channel(peer_address);
      channel != nullptr && now < channel->route_expires_at) {
    if (!shard.policy.still_allowed(channel->peer)) return {};
    if (!allocation->to_client.take(packet.size, shard.payload_rate, now)) return over_limit();
    return to_client(*allocation,
                     as_channel_data(channel->number, allocation->client.five_tuple.transport, packet));
  }
  const AllowedIp* permitted = allocation->permitted(peer_address.ip, now);
  if (permitted == nullptr || !shard.policy.admits(*permitted, peer_address)) return {};
  if (packet.size > kIndicationPayloadLimit) return {};
  if (!allocation->to_client.take(packet.size, shard.payload_rate, now)) return over_limit();
  return to_client(*allocation,
                   as_data_indication(named(*permitted, peer_address), shard.indication_ids.next(), packet));
}

std::optional<SendToClient> icmp_indication(Shard& shard, const RelayId& relay, const Address& peer_address,
                                            const IcmpError& error, Instant now) {
  if (relay.family != peer_address.family() || !is_relayed_icmp(relay.family, error.type))
    return std::nullopt;
  const Allocation* allocation = shard.allocations.find(relay.allocation);
  if (allocation == nullptr || !allocation->live_at(now) || !allocation->relays_at(relay.family, now))
    return std::nullopt;
  const AllowedIp* permitted = allocation->permitted(peer_address.ip, now);
  if (permitted == nullptr) return std::nullopt;
  std::array<std::uint8_t, stun::kMessageBytesLimit> storage{};
  stun::MessageBuilder builder(storage, stun::MessageClass::indication, stun::Method::data,
                               shard.indication_ids.next());
  stun::add_xor_address(builder, AttributeType::xor_peer_address, named(*permitted, peer_address));
  add_icmp(builder, {error.type, error.code, error.error_data});
  const Bytes message = builder.finish();
  return SendToClient{allocation->client, Buffer(message.begin(), message.end())};
}

}  // namespace offhook::turn
