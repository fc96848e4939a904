#include "core/turn/server.h"

#include "core/turn/data_path.h"
#include "core/turn/introduce.h"
#include "core/turn/request.h"
#include "core/turn/shard.h"

namespace offhook::turn {
namespace {

stun::ErrorCode code_of(Server::RelayFailure failure) {
  switch (failure) {
    case Server::RelayFailure::family_not_supported:
      return stun::ErrorCode::address_family_not_supported;
    case Server::RelayFailure::no_port_free:
    case Server::RelayFailure::reservation_unknown:
      return stun::ErrorCode::insufficient_capacity;
  }
  return stun::ErrorCode::server_error;
}

}  // namespace

Server::Server(const Settings& settings, const Dependencies& dependencies)
    : shard_(std::make_unique<Shard>(settings, dependencies)) {}
Server::~Server() = default;

Forward Server::handle_client_packet(const Client& client, const Packet& packet, const Now& now,
                                     Outbox& outbox) {
  const Bytes datagram = packet.bytes();
  if (!stun::looks_like_stun(datagram)) {
    return forward_channel_data(*shard_, client.five_tuple, packet, now.monotonic);
  }
  // Zeroed as other variables are, its room for attributes would cost more than most packets do.
  __attribute__((uninitialized)) stun::Message message;
  if (!stun::Message::parse_into(message, datagram)) return {};
  switch (message.message_class()) {
    case stun::MessageClass::request:
      handle_request(*shard_, client, message, now, outbox);
      return {};
    case stun::MessageClass::indication:
      // A Binding indication keeps a NAT open and asks for nothing; all others are unknown.
      if (message.method() != stun::Method::send) return {};
      return forward_send_indication(*shard_, client.five_tuple, message, now.monotonic);
    case stun::MessageClass::success_response:
    case stun::MessageClass::error_response:
      return {};  // a server asks nothing, so nobody has to answer
  }
  return {};
}

Forward Server::handle_peer_packet(const RelayId& relay, const Address& peer_address, const Packet& packet,
                                   const Now& now) {
  return forward_peer_datagram(*shard_, relay, peer_address, packet, now.monotonic);
}

void Server::handle_peer_icmp(const RelayId& relay, const Address& peer_address, std::uint8_t type,
                              std::uint8_t code, std::uint32_t error_data, const Now& now, Outbox& outbox) {
  auto indication = icmp_indication(*shard_, relay, peer_address, {type, code, error_data}, now.monotonic);
  if (indication) outbox.push_back(std::move(*indication));
}

void Server::handle_client_closed(const Client& client, const Now& /*now*/, Outbox& outbox) {
  Allocation* allocation = shard_->allocations.find(client.five_tuple);
  // A newer stream may have the same five-tuple already.
  if (allocation == nullptr || allocation->client.handle != client.handle) return;
  shard_->allocations.end(*allocation, AuditEvent::allocation_deleted, outbox);
}

void Server::handle_relay_opened(const RelayId& relay, const Address& relayed_address, const Now& now,
                                 Outbox& outbox) {
  turn::handle_relay_opened(*shard_, relay, relayed_address, now, outbox);
}

void Server::handle_relay_failed(const RelayId& relay, RelayFailure failure, const Now& now, Outbox& outbox) {
  turn::handle_relay_failed(*shard_, relay, code_of(failure), now, outbox);
}

bool Server::handle_peer_introduced(std::string_view user, std::string_view call, const Address& peer_address,
                                    const Now& now, Outbox& outbox) {
  return introduce(*shard_, user, call, peer_address.ip, now.monotonic, outbox);
}

void Server::handle_call_over(std::string_view call, const Now& now, Outbox& outbox) {
  end_introductions(*shard_, call, now.monotonic, outbox);
}

void Server::handle_hop_installed(const RelayId& relay, const Hop& hop) {
  Allocation* allocation = shard_->allocations.find(relay.allocation);
  if (allocation == nullptr || !allocation->relays_family(relay.family)) return;
  if (hop.relayed_address.family() != relay.family) return;
  allocation->install_hop(hop);
}

void Server::handle_hop_removed(const RelayId& relay, const Address& relayed_address,
                                std::uint32_t incarnation) {
  Allocation* allocation = shard_->allocations.find(relay.allocation);
  if (allocation != nullptr) allocation->remove_hop(relayed_address, incarnation);
}

void Server::revoke(std::string_view username, const Now& now) {
  shard_->allocations.revoke_all_of(username, now.monotonic);
}

void Server::handle_deadlines(const Now& now, Outbox& outbox) {
  shard_->allocations.handle_deadlines(now.monotonic, outbox);
}

Instant Server::next_deadline() const { return shard_->allocations.next_deadline(); }

std::size_t Server::allocation_count() const { return shard_->allocations.size(); }

std::string_view Server::broken_invariant() const {
  const std::string_view broken = shard_->allocations.broken_invariant();
  return broken.empty() ? broken_rule_of_introductions(*shard_) : broken;
}

}  // namespace offhook::turn
