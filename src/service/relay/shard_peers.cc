// What comes from peers, and what the network says of what went to them.

#include <array>

#include "io/net/icmp_socket.h"
#include "service/relay/shard.h"
#include "wire/icmp/icmp_error.h"

namespace offhook::relay {
namespace {

// Messages taken from a relay socket with one call: it serves one client, and seldom holds more than a few.
// To ask for a second one that is not there costs a twentieth of a packet; to come back for each of a burst a
// third.
constexpr std::size_t kPeerBurst = 8;
// Taken with one call from the socket of all relay ports, and in a row before others get their turn.
constexpr std::size_t kSharedBurst = 32;
constexpr std::size_t kSharedInARow = 4 * kSharedBurst;
// ICMP errors read from one socket in a row.
constexpr int kIcmpLimit = 16;

}  // namespace

bool Shard::watch_shared_receive() {
  if (!shared_.receive) return true;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const SharedReceive::Sockets& sockets = shared_.receive->of(number_, family);
    if (!sockets.datagrams) continue;
    const EventTag datagrams{EventKind::shared_receive, family, 0, 0};
    const EventTag icmp_errors{EventKind::icmp_errors, family, 0, 0};
    if (!poller_->add(sockets.datagrams.get(), {}, datagrams.pack())) return false;
    if (!poller_->add(sockets.icmp_errors.get(), {}, icmp_errors.pack())) return false;
  }
  return true;
}

std::vector<int> Shard::shared_receive_fds() const {
  std::vector<int> fds;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!shared_.receive || !shared_.receive->of(number_, family).datagrams) continue;
    fds.push_back(shared_.receive->of(number_, family).datagrams.get());
    fds.push_back(shared_.receive->of(number_, family).icmp_errors.get());
  }
  return fds;
}

// As many as a round has events at most.
void Shard::serve_unfinished_relays() {
  for (std::size_t left = std::min(relays_.unfinished_count(), io::Poller::kEventsLimit); left > 0; --left) {
    const auto next = relays_.take_unfinished();
    serve_relay(next.tag, {.tag = 0, .readable = true, .error = next.with_errors});
  }
}

void Shard::serve_relay(const EventTag& tag, const io::Ready& ready) {
  const auto relay = relays_.find(tag);
  if (!relay) return;
  const bool errors_left = ready.error && !serve_relay_errors(*relay);
  const io::Socket* socket = relays_.find(*relay);
  if (socket == nullptr) return;
  bool peers_left = ready.readable && !serve_peers(*relay, *socket);
  if (ready.readable && !peers_left && relays_.share_again(*relay, now_.monotonic))
    peers_left = !serve_peers(*relay, *relays_.find(*relay));
  if (errors_left || peers_left) relays_.leave(tag, errors_left);
}

// False if more may wait. What an error of the socket holds up comes with the event of that error.
bool Shard::serve_peers(const turn::RelayId& relay, const io::Socket& socket) {
  if (batch_.free_slots() < kPeerBurst) make_room();
  const std::size_t first = batch_.size();
  const auto received = batch_.receive(socket.get(), kPeerBurst);
  const std::size_t count = received.datagrams;
  if (mailbox_.waiting()) serve_mailbox();
  for (std::size_t i = first; i < first + count; ++i) serve_peer(relay, batch_.datagram(i));
  gathering_.note(count);
  counters_.add(Counter::packets_from_peers, count);
  return !received.more;
}

void Shard::serve_peer(const turn::RelayId& relay, const io::DatagramBatch::Datagram& datagram) {
  counters_.add(Counter::bytes_from_peers, datagram.size);
  if (!datagram.from) return;
  const auto onward = server_.handle_peer_packet(relay, *datagram.from,
                                                 {datagram.storage, datagram.offset, datagram.size}, now_);
  if (onward.via == turn::Forward::Via::nobody && !onward.over_limit)
    counters_.add(Counter::dropped_from_peer);
  forward(onward);
}

// Those of this shard alone: a relayed address may end, and be another's, while a datagram waits.
std::optional<turn::RelayId> Shard::relay_of(const std::optional<Address>& relayed_address) const {
  if (!relayed_address) return std::nullopt;
  const auto holder = shared_.ports.holder(*relayed_address);
  if (!holder || holder->shard != number_) return std::nullopt;
  return holder->relay;
}

void Shard::serve_shared_receive(Family family) {
  const io::Socket& socket = shared_.receive->of(number_, family).datagrams;
  for (std::size_t taken = 0; taken < kSharedInARow;) {
    if (batch_.free_slots() < kSharedBurst) make_room();
    const std::size_t first = batch_.size();
    const auto received = batch_.receive(socket.get(), kSharedBurst);
    if (mailbox_.waiting()) serve_mailbox();
    for (std::size_t i = first; i < first + received.datagrams; ++i) {
      const auto relay = relay_of(batch_.destination(i));
      const auto datagram = batch_.datagram(i);
      if (relay) {
        if (relays_.note_shared(*relay, datagram.size, now_.monotonic)) counters_.add(Counter::relays_alone);
        serve_peer(*relay, datagram);
      } else {
        counters_.add(Counter::dropped_from_peer);
      }
    }
    gathering_.note(received.datagrams);
    counters_.add(Counter::packets_from_peers, received.datagrams);
    if (!received.more) return relays_.note_shared_queue(family, 0);
    taken += received.datagrams;
  }
  relays_.note_shared_queue(family, io::receive_queue_percent(socket.get()));
}

// The poller tells again of those that a round leaves.
void Shard::serve_icmp_errors(Family family) {
  const io::Socket& socket = shared_.receive->of(number_, family).icmp_errors;
  std::array<std::uint8_t, io::kIcmpBytesLimit> buffer{};
  for (int i = 0; i < kIcmpLimit; ++i) {
    const auto message = io::take_icmp_message(socket, buffer);
    if (!message) break;
    const auto error = icmp::parse_datagram_error(*message, family);
    if (!error) continue;
    const auto relay = relay_of(error->from);
    if (!relay) continue;
    counters_.add(Counter::icmp_errors);
    server_.handle_peer_icmp(*relay, error->to, error->type, error->code, error->mtu, now_, outbox_);
  }
  execute_effects();
}

// The socket stays open whatever the network says about one of its peers. False if more may wait.
bool Shard::serve_relay_errors(const turn::RelayId& relay) {
  const io::Socket& socket = *relays_.find(relay);
  bool are_more = true;
  for (int i = 0; i < kIcmpLimit && are_more; ++i) {
    const auto entry = io::take_error(socket);
    are_more = entry.more;
    if (!entry.icmp) continue;
    counters_.add(Counter::icmp_errors);
    server_.handle_peer_icmp(relay, entry.icmp->peer_address, entry.icmp->type, entry.icmp->code,
                             entry.icmp->error_data, now_, outbox_);
  }
  execute_effects();
  return !are_more;
}

}  // namespace offhook::relay
