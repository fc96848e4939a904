// What the core asks for, done: one function an effect.

#include <cassert>
#include <utility>

#include "service/relay/shard.h"

namespace offhook::relay {

// Effects may bring more effects (an opened socket brings the success reply); they join the end of the same
// list.
void Shard::execute_effects() {
  // Who has read the answer to a deletion must find the routes gone. Doing it again in its turn changes
  // nothing.
  for (const turn::Effect& effect : outbox_) {
    if (const auto* remove = std::get_if<turn::RemoveRoute>(&effect)) routes_.remove(*remove);
  }
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
  if (ClientConnections::owns(client.handle))
    return connections_.send_control(client, effect.bytes, now_.monotonic);
  assert(client.handle < listeners_.udp.size());
  const Listener& listener = listeners_.udp[client.handle];
  // First: a flush lets all answers go.
  if (queue_.full()) flush_queue();
  answers_.push_back(std::move(effect.bytes));
  queue_.add(listener.socket.get(), listener.address, client.five_tuple.client_address, answers_.back());
}

void Shard::execute(turn::OpenRelaySocket& effect) { answer(effect.relay, relays_.open(effect)); }

void Shard::execute(turn::ClaimReservation& effect) { answer(effect.relay, relays_.claim(effect)); }

void Shard::execute(turn::ReleaseReservation& effect) { shared_.reservations.release(effect.token); }

void Shard::execute(turn::CloseRelaySocket& effect) {
  // Packets that wait name the descriptor, which another socket may get as soon as it is closed.
  flush_queue();
  relays_.close(effect.relay);
}

void Shard::execute(turn::InstallRoute& effect) {
  if (relays_.find(effect.relay) != nullptr) routes_.install(effect, relays_.relayed_address(effect.relay));
}

void Shard::execute(turn::RemoveRoute& effect) { routes_.remove(effect); }

void Shard::execute(turn::InstallHop& effect) {
  if (shared_.hops) send_hop(effect.from, {{}, effect});
}

void Shard::execute(turn::RemoveHop& effect) {
  if (shared_.hops) send_hop(effect.from, {{}, effect});
}

// To the shard that sends over it. Who has no live relayed address there sends nothing, and has no hops left.
void Shard::send_hop(const Address& from, HopChange change) {
  const auto holder = shared_.ports.holder(from);
  if (!holder) return;
  change.relay = holder->relay;
  if (holder->shard == number_) return obey(change);
  // A stream belongs to the thread that accepted it.
  const auto* install = std::get_if<turn::InstallHop>(&change.change);
  if (install != nullptr && ClientConnections::owns(install->hop.client.handle)) return;
  // Lost: without a hop, packets take the sockets; one that stays is dead with its relayed address, or
  // expires.
  if (!shared_.shards[holder->shard]->change_hop(std::move(change))) {
    counters_.add(Counter::mailbox_overflows);
  }
}

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
