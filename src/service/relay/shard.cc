#include "service/relay/shard.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/loop/clock.h"

namespace offhook::relay {
namespace {

// Taken from a listening socket with one call.
constexpr std::size_t kClientBurst = 32;
// Calls in a row to one full socket before the others get their turn.
constexpr int kRoundsLimit = 4;
// Datagrams likewise: one call may bring many that have come as one message.
constexpr std::size_t kDatagramsInARow = kRoundsLimit * kClientBurst;
// Connections accepted in a row.
constexpr int kAcceptLimit = 64;
// Commands that wait for a shard, which takes all of them in each round. A call brings some twenty
// candidates, and a pair of channels two hops: room for several hundred calls that begin within one long
// round.
constexpr std::size_t kMailboxLimit = 16384;
// Accepting rests so long when descriptors have run out; without it the loop would spin.
constexpr std::chrono::milliseconds kAcceptRest{200};

}  // namespace

Shard::Shard(unsigned number, Shared& shared, ShardListeners listeners, std::unique_ptr<io::Poller> poller,
             io::JointSender joint)
    : number_(number),
      shared_(shared),
      mailbox_(kMailboxLimit),
      poller_(std::move(poller)),
      listeners_(std::move(listeners)),
      log_(counters_),
      relays_({shared.ports, shared.reservations, shared.random, *poller_}, shared.rule, number_),
      routes_(shared.fast_path.get(),
              {shared.ports.addresses(), shared.hops, shared.settings.payload_bytes_per_s}, counters_),
      connections_(*poller_, counters_, shared.certificates.get(), &shared.http),
      server_(shared.settings, {shared.random, shared.users, shared.quota, shared.ports}),
      batch_(kBatchSlots, turn::kHeadroomBytes, turn::kTailroomBytes),
      queue_(kBatchSlots, std::move(joint)) {}

bool Shard::watch() {
  if (!poller_->add(mailbox_.fd(), {}, EventTag{EventKind::mailbox}.pack())) return false;
  for (std::uint32_t i = 0; i < listeners_.udp.size(); ++i) {
    const EventTag tag{EventKind::udp_listener, Family::ipv4, 0, i};
    if (!poller_->add(listeners_.udp[i].socket.get(), {}, tag.pack())) return false;
  }
  for (std::uint32_t i = 0; i < listeners_.tcp.size(); ++i) {
    const EventTag tag{EventKind::tcp_listener, Family::ipv4, 0, i};
    if (!poller_->add(listeners_.tcp[i].socket.get(), {}, tag.pack())) return false;
  }
  if (!watch_shared_receive()) return false;
  const int changes = queue_.joint().changes_fd();
  return changes < 0 || poller_->add(changes, {}, EventTag{EventKind::next_hops}.pack());
}

std::vector<int> Shard::fds() const {
  std::vector<int> fds = shared_.reservations.fds();
  for (const int fd : shared_.http.fds()) fds.push_back(fd);
  if (shared_.fast_path) {
    for (const int fd : shared_.fast_path->fds()) fds.push_back(fd);
  }
  // Every shard's: who posts a letter rings the bell, by a number that in another table is another thing.
  for (const Shard* shard : shared_.shards) fds.push_back(shard->mailbox_.fd());
  fds.push_back(poller_->fd());
  for (const int fd : shared_receive_fds()) fds.push_back(fd);
  for (const int fd : queue_.joint().fds()) fds.push_back(fd);
  for (const Listener& listener : listeners_.udp) fds.push_back(listener.socket.get());
  for (const Listener& listener : listeners_.tcp) fds.push_back(listener.socket.get());
  return fds;
}

void Shard::run() {
  io::ask_for_precise_pauses();
  now_ = io::read_now();
  while (!stopping_) {
    connections_.begin_round();
    const Instant deadline =
        std::min({server_.next_deadline(), connections_.next_deadline(), accept_again_at_});
    const auto events = wait(deadline);
    now_ = io::read_now();
    const SendingAllowed& allowed = shared_.sending_allowed;
    queue_.joint().allow_packet_socket(allowed.packet_sockets.load(std::memory_order_relaxed));
    queue_.joint().allow_xdp_sockets(allowed.xdp_sockets.load(std::memory_order_relaxed));
    serve_unfinished_relays();
    for (const io::Ready& ready : events) serve(ready);
    if (deadline <= now_.monotonic) handle_deadlines();
    flush();
    close_doomed();
    counters_.set(Counter::allocations_live, server_.allocation_count());
  }
  connections_.close_all();
  routes_.remove_all();
  relays_.close_all();
  counters_.set(Counter::allocations_live, 0);
}

std::span<const io::Ready> Shard::wait(Instant deadline) {
  const Duration pause = gathering_.decide(now_.monotonic);
  if (relays_.unfinished_count() > 0 || connections_.has_to_flush())
    return poller_->wait(now_.monotonic, now_.monotonic);
  if (pause > Duration::zero()) {
    // Who is never idle is woken by nobody.
    if (const auto events = poller_->wait(now_.monotonic, now_.monotonic); !events.empty()) return events;
    io::pause_for(pause);
  }
  return poller_->wait(deadline, now_.monotonic);
}

void Shard::stop() {
  stopping_ = true;
  // A full mailbox wakes the shard as well.
  (void)mailbox_.post(Stop{});
}

void Shard::add_to(RelayCounters& sum) const {
  counters_.add_to(sum);
  for (const Listener& listener : listeners_.udp) {
    sum.add(Counter::dropped_by_receive_queue, io::kernel_drops(listener.socket.get()));
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (shared_.receive && shared_.receive->of(number_, family).datagrams)
      sum.add(Counter::dropped_by_receive_queue,
              io::kernel_drops(shared_.receive->of(number_, family).datagrams.get()));
  }
}

void Shard::serve(const io::Ready& ready) {
  const EventTag tag = EventTag::unpack(ready.tag);
  switch (tag.kind) {
    case EventKind::mailbox:
      return serve_mailbox();
    case EventKind::next_hops:
      return queue_.joint().handle_changes();
    case EventKind::udp_listener:
      return serve_udp_listener(tag.index);
    case EventKind::tcp_listener:
      return serve_tcp_listener(tag.index);
    case EventKind::connection:
      return serve_connection(tag, ready);
    case EventKind::relay:
      return serve_relay(tag, ready);
    case EventKind::shared_receive:
      return serve_shared_receive(tag.family);
    case EventKind::icmp_errors:
      return serve_icmp_errors(tag.family);
  }
}

void Shard::serve_mailbox() {
  for (const Command& command : mailbox_.take()) {
    std::visit([this](const auto& each) { obey(each); }, command);
  }
}

void Shard::obey(const Revoke& command) { server_.revoke(command.username, now_); }

void Shard::obey(const Introduce& command) {
  const bool taken =
      server_.handle_peer_introduced(command.user, command.call, command.peer_address, now_, outbox_);
  if (!taken) counters_.add(Counter::refused_introductions);
  execute_effects();
}

void Shard::obey(const Part& command) {
  server_.handle_call_over(command.call, now_, outbox_);
  execute_effects();
}

void Shard::obey(const HopChange& command) {
  if (const auto* install = std::get_if<turn::InstallHop>(&command.change)) {
    return server_.handle_hop_installed(command.relay, install->hop);
  }
  const auto& remove = std::get<turn::RemoveHop>(command.change);
  server_.handle_hop_removed(command.relay, remove.relayed_address, remove.incarnation);
}

void Shard::serve_udp_listener(std::size_t index) {
  const Listener& listener = listeners_.udp[index];
  for (std::size_t taken = 0; taken < kDatagramsInARow;) {
    if (batch_.free_slots() < kClientBurst) make_room();
    const std::size_t first = batch_.size();
    const auto received = batch_.receive(listener.socket.get(), kClientBurst);
    if (mailbox_.waiting()) serve_mailbox();
    std::uint64_t bytes = 0;
    for (std::size_t i = first; i < first + received.datagrams; ++i) {
      const auto datagram = batch_.datagram(i);
      bytes += datagram.size;
      if (!datagram.from) continue;
      const turn::Client client{{*datagram.from, listener.address, turn::Transport::udp},
                                static_cast<std::uint32_t>(index)};
      forward(server_.handle_client_packet(client, {datagram.storage, datagram.offset, datagram.size}, now_,
                                           outbox_));
      execute_effects();
    }
    gathering_.note(received.datagrams);
    counters_.add(Counter::packets_from_clients, received.datagrams);
    counters_.add(Counter::bytes_from_clients, bytes);
    if (!received.more) return;
    taken += received.datagrams;
  }
}

void Shard::serve_tcp_listener(std::size_t index) {
  const Listener& listener = listeners_.tcp[index];
  for (int i = 0; i < kAcceptLimit; ++i) {
    auto accepted = io::accept_connection(listener.socket);
    if (accepted) {
      connections_.adopt(std::move(*accepted), listener.address, listener.service, now_.monotonic);
      continue;
    }
    const int code = accepted.error();
    if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM) {
      for (const Listener& each : listeners_.tcp) poller_->remove(each.socket.get());
      accept_again_at_ = now_.monotonic + kAcceptRest;
      return;
    }
    if (code == EAGAIN || code == EWOULDBLOCK) return;
    // Any other error is of one connection that broke off before it was accepted.
  }
}

void Shard::resume_accepting() {
  accept_again_at_ = kNever;
  for (std::uint32_t i = 0; i < listeners_.tcp.size(); ++i) {
    const EventTag tag{EventKind::tcp_listener, Family::ipv4, 0, i};
    const bool watched = poller_->add(listeners_.tcp[i].socket.get(), {}, tag.pack());
    if (!watched && errno != EEXIST) accept_again_at_ = now_.monotonic + kAcceptRest;
  }
}

void Shard::serve_connection(const EventTag& tag, const io::Ready& ready) {
  const auto client = connections_.find(tag);
  if (!client) return;
  const bool read_on = ready.writable && connections_.handle_writable(client->handle, now_.monotonic);
  if (!ready.readable && !ready.error && !read_on) return;
  using Source = ClientConnections::Source;
  for (int round = 0;; ++round) {
    // The queue borrows from the framer's buffer, which this read would change.
    if (round > 0 || connections_.has_unfinished_frame(client->handle)) flush_queue();
    const Source source = round < kRoundsLimit ? Source::socket : Source::buffered_alone;
    const auto read = connections_.read(client->handle, now_.monotonic, source);
    if (read.framer == nullptr) return;
    if (mailbox_.waiting()) serve_mailbox();
    bool frames_taken = false;
    serve_frames(*client, *read.framer, frames_taken);
    connections_.finish_read(client->handle, frames_taken, now_.monotonic);
    // Of an end that stands behind the data no event may tell again.
    const bool more = read.more || ready.error;
    if (!more) return;
    if (round + 1 >= kRoundsLimit && !read.buffered) return connections_.look_again(client->handle);
  }
}

void Shard::serve_frames(const turn::Client& client, turn::StreamFramer& framer, bool& frames_taken) {
  while (const auto frame = framer.next()) {
    frames_taken = true;
    gathering_.note(1);
    counters_.add(Counter::packets_from_clients);
    counters_.add(Counter::bytes_from_clients, frame->size());
    forward(server_.handle_client_packet(client, {*frame, 0, frame->size()}, now_, outbox_));
    execute_effects();
  }
}

void Shard::handle_deadlines() {
  server_.handle_deadlines(now_, outbox_);
  execute_effects();
  connections_.handle_deadlines(now_.monotonic);
  if (accept_again_at_ <= now_.monotonic) resume_accepting();
}

void Shard::close_doomed() {
  while (const auto client = connections_.take_doomed()) {
    server_.handle_client_closed(*client, now_, outbox_);
    execute_effects();
    flush();
  }
}

void Shard::forward(const turn::Forward& forward) {
  if (forward.via != turn::Forward::Via::nobody) gathering_.note_relayed();
  switch (forward.via) {
    case turn::Forward::Via::nobody:
      if (forward.over_limit) counters_.add(Counter::dropped_over_limit);
      return;
    case turn::Forward::Via::peer:
      return forward_to_peer(forward);
    case turn::Forward::Via::client:
      return forward_to_client(forward);
    case turn::Forward::Via::hop:
      return forward_over_hop(forward);
  }
}

void Shard::forward_to_peer(const turn::Forward& forward) {
  const io::Socket* socket = relays_.find(forward.relay);
  if (socket == nullptr) return;
  counters_.add(Counter::packets_to_peers);
  counters_.add(Counter::bytes_to_peers, forward.bytes.size());
  if (!forward.dont_fragment) {
    return enqueue(socket->get(), relays_.relayed_address(forward.relay), forward.peer_address,
                   forward.bytes);
  }
  // DF is a property of the socket, so this one goes alone and after those that wait.
  flush_queue();
  const Family family = forward.peer_address.family();
  const bool marked = io::set_dont_fragment(*socket, family, true);
  if (!io::send_datagram(socket->get(), forward.peer_address, forward.bytes)) {
    counters_.add(Counter::dropped_by_kernel_send);
  }
  if (marked) (void)io::set_dont_fragment(*socket, family, false);
}

void Shard::forward_to_client(const turn::Forward& forward) {
  counters_.add(Counter::packets_to_clients);
  counters_.add(Counter::bytes_to_clients, forward.bytes.size());
  if (ClientConnections::owns(forward.client.handle))
    return connections_.send_media(forward.client, forward.bytes, now_.monotonic);
  const Listener& listener = listeners_.udp[forward.client.handle];
  enqueue(listener.socket.get(), listener.address, forward.client.five_tuple.client_address, forward.bytes);
}

// A UDP client of another shard, too, is reached from here: every shard listens at every address, at the same
// index, so that the client sees no other sender than its own shard. A stream client is this shard's.
void Shard::forward_over_hop(const turn::Forward& forward) {
  counters_.add(Counter::packets_hopped);
  forward_to_client(forward);
}

void Shard::enqueue(int fd, const Address& from, const Address& to, Bytes bytes) {
  if (queue_.full()) flush_queue();
  queue_.add(fd, from, to, bytes);
}

void Shard::flush_queue() {
  if (!queue_.empty()) {
    const std::size_t lost = queue_.flush(now_.monotonic);
    if (lost > 0) counters_.add(Counter::dropped_by_kernel_send, lost);
  }
  answers_.clear();
  connections_.handle_frames_done();
}

// What was received may be overwritten only when nothing that waits borrows from it.
void Shard::make_room() {
  flush_queue();
  batch_.clear();
}

void Shard::flush() {
  make_room();
  connections_.flush();
}

}  // namespace offhook::relay
