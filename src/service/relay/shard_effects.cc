// What the core asks for, done: one function an effect.

#include <cassert>
#include <utility>

#include "service/relay/shard.h"

namespace offhook::relay {

// Effects may bring more effects (an opened socket brings the success reply); they join the end of the same
// list.
void Shard::execute_effects() {
  for (std::size_t i = 0; i < outbox_.size(); ++i) {
    turn::Effect effect = std::move(outbox_[i]);
    std::visit([this](auto& each) { execute(each); }, effect);
  }
  outbox_.clear();
}

void Shard::execute(turn::SendToClient& effect) {
  const turn::Client& client = effect.client;
  counters_.add(Counter::packets_to_clients);
  counters_.add(Counter::bytes_to_clients, effect.bytes.size());
  if (ClientConnections::owns(client.handle)) return connections_.send_control(client, effect.bytes);
  assert(client.handle < listeners_.udp.size());
  const io::Socket& socket = listeners_.udp[client.handle].socket;
  if (!io::send_datagram(socket.get(), client.five_tuple.client_address, effect.bytes)) {
    counters_.add(Counter::dropped_by_kernel_send);
  }
}

void Shard::execute(turn::OpenRelaySocket& effect) { answer(effect.relay, relays_.open(effect)); }

void Shard::execute(turn::ClaimReservation& effect) { answer(effect.relay, relays_.claim(effect)); }

void Shard::execute(turn::ReleaseReservation& effect) { shared_.reservations.release(effect.token); }

void Shard::execute(turn::CloseRelaySocket& effect) {
  // Packets that wait name the descriptor, which another socket may get as soon as it is closed.
  flush_queue();
  relays_.close(effect.relay);
}

// There is no fast path yet that could obey; without one, routes change nothing but the speed.
void Shard::execute(turn::InstallRoute&) {}

void Shard::execute(turn::RemoveRoute&) {}

void Shard::execute(turn::Audit& effect) {
  log_.audit(effect, now_.monotonic);
  if (!ClientConnections::owns(effect.client.handle)) return;
  switch (effect.event) {
    case turn::AuditEvent::allocation_created:
      return connections_.set_has_allocation(effect.client, true, now_.monotonic);
    case turn::AuditEvent::allocation_deleted:
    case turn::AuditEvent::allocation_expired:
      return connections_.set_has_allocation(effect.client, false, now_.monotonic);
    case turn::AuditEvent::allocation_refreshed:
    case turn::AuditEvent::credentials_refused:
    case turn::AuditEvent::peer_refused:
    case turn::AuditEvent::quota_refused:
    case turn::AuditEvent::capacity_refused:
      return;
  }
}

void Shard::answer(const turn::RelayId& relay, const RelaySockets::Outcome& outcome) {
  if (outcome) {
    server_.handle_relay_opened(relay, *outcome, now_, outbox_);
    return;
  }
  if (outcome.error() == turn::Server::RelayFailure::no_port_free) {
    log_.no_relay_socket(relays_.last_error(), now_.monotonic);
  }
  server_.handle_relay_failed(relay, outcome.error(), now_, outbox_);
}

}  // namespace offhook::relay
