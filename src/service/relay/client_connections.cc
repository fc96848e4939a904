#include "service/relay/client_connections.h"

#include <algorithm>
#include <array>
#include <utility>

namespace offhook::relay {
namespace {

// One read takes several media packets, and the framer behind it stays small.
constexpr std::size_t kReadBytes = 16 * 1024;
// One read takes a request or two, and the framer behind it holds no more than its limit and one read.
constexpr std::size_t kReadBytesWithoutAllocation = kFrameBytesLimitWithoutAllocation;
// Where two segments come within the 40 ms for which the kernel delays an acknowledgement, one is sent for
// both; where fewer come it would only be late. A pause ends that, so it is asked for again after each.
constexpr std::uint8_t kReadsCounted = 32;
constexpr std::uint8_t kPausesLimit = 4;
constexpr std::chrono::milliseconds kReadDistanceLimit{18};
// A client that waits for each acknowledgement (without TCP_NODELAY) brings the next segment only then, 30 to
// 40 ms after the one before, and in it all that it had to say meanwhile. One that does so again and again is
// left alone from then on.
constexpr std::chrono::milliseconds kPause{28};
constexpr std::uint8_t kReadsHeldBack = 3;
// Framers kept for the next connection that needs one: about as many as one wake-up touches.
constexpr std::size_t kSpareFramersLimit = 64;
// Queues likewise, as many as may wait for their turn to be sent, while they are small.
constexpr std::size_t kSpareQueuesLimit = 4096;
constexpr std::size_t kSpareQueuesBytesLimit = 4 * 1024 * 1024;

std::size_t index_of(std::uint32_t handle) { return handle & ~ClientConnections::kHandleBit; }

// What counts as one address: of IPv6 the /64, which is what one host is given.
Ip limited_as(const Ip& ip) {
  if (ip.is_v4()) return ip;
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(ip.octets().first(8), octets.begin());
  return Ip::v6(octets);
}

}  // namespace

void ClientConnections::adopt(io::Accepted accepted, const Address& listen_address, Service service,
                              Instant now) {
  if (!within_limits(accepted.client_address.ip)) {
    counters_.add(Counter::connections_refused);
    return;
  }
  auto connection = std::make_unique<Connection>();
  connection->socket = std::move(accepted.socket);
  connection->service = service;
  connection->serial = next_serial_;
  next_serial_ = (next_serial_ + 1) & kSerialMask;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(connections_.size()));
    connections_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  const turn::FiveTuple five_tuple{accepted.client_address, listen_address, turn::Transport::tcp};
  connection->client = {five_tuple, index | kHandleBit};
  connection->idle_since = now;
  if (!poller_.add(connection->socket.get(), {}, tag_of(*connection).pack())) return;
  free_.pop_back();
  count_without_allocation(accepted.client_address.ip, 1);
  counters_.add(Counter::connections_accepted);
  arm(*connection, deadline_of(*connection));
  connections_[index] = std::move(connection);
  counters_.set(Counter::connections_live, connections_.size() - free_.size());
}

std::optional<turn::Client> ClientConnections::find(const EventTag& tag) const {
  if (tag.index >= connections_.size() || !connections_[tag.index]) return std::nullopt;
  const Connection& connection = *connections_[tag.index];
  if (connection.serial != tag.serial || connection.doomed) return std::nullopt;
  return connection.client;
}

ClientConnections::Read ClientConnections::read(std::uint32_t handle, Instant now, Source source) {
  Connection* connection = find(handle);
  if (connection == nullptr || (connection->phase != Phase::turn && !identify(*connection, now))) return {};
  if (!connection->framer && connection->has_allocation && !spare_framers_.empty()) {
    connection->framer = std::move(spare_framers_.back());
    spare_framers_.pop_back();
  }
  if (!connection->framer) connection->framer = std::make_unique<turn::StreamFramer>();
  const MutableBytes space =
      connection->framer->space(connection->has_allocation ? kReadBytes : kReadBytesWithoutAllocation);
  const std::size_t count = receive(*connection, space, source);
  if (count == 0) {
    if (connection->framer->pending() == 0) resting_framers_.push_back(std::move(connection->framer));
    return {};
  }
  connection->framer->filled(count);
  note_read(*connection, count, now);
  // With space left it is a part of a record, whose rest the socket will tell of.
  const bool is_full = count == space.size();
  const bool buffered = is_full && connection->tls && connection->tls->is_buffering();
  return {connection->framer.get(), is_full, buffered};
}

void ClientConnections::note_read(Connection& connection, std::size_t bytes, Instant now) {
  if (!connection.has_allocation || connection.waits_for_acknowledgements) return;
  const Duration distance = now - std::exchange(connection.last_read_at, now);
  const bool after_pause = distance >= kPause;
  if (after_pause && connection.acknowledged_together) {
    if (bytes >= 2 * connection.usual_bytes) connection.reads_held_back += 1;
    connection.waits_for_acknowledgements = connection.reads_held_back == kReadsHeldBack;
    if (connection.waits_for_acknowledgements) return;
    io::acknowledge_together(connection.socket);
  }
  connection.reads += 1;
  connection.bytes_read += bytes;
  if (after_pause) connection.pauses += 1;
  if (!after_pause) connection.between_reads += distance;
  if (connection.reads == kReadsCounted) judge_reads(connection);
}

void ClientConnections::judge_reads(Connection& connection) {
  const int distances = kReadsCounted - connection.pauses;
  connection.acknowledged_together =
      connection.pauses <= kPausesLimit && connection.between_reads < distances * kReadDistanceLimit;
  if (connection.acknowledged_together) io::acknowledge_together(connection.socket);
  connection.usual_bytes = connection.bytes_read / kReadsCounted;
  connection.reads = 0;
  connection.reads_held_back = 0;
  connection.pauses = 0;
  connection.between_reads = Duration::zero();
  connection.bytes_read = 0;
}

void ClientConnections::finish_read(std::uint32_t handle, bool frames_taken, Instant now) {
  Connection* connection = find(handle);
  if (connection == nullptr) return;
  const bool frame_too_long =
      !connection->has_allocation && connection->framer->pending() > kFrameBytesLimitWithoutAllocation;
  if (frame_too_long || connection->framer->state() == turn::StreamFramer::State::not_turn) {
    doom(*connection);
    return;
  }
  if (connection->read_ended) {
    // The replies to what came last still go: the client may have ended its own direction alone.
    send_waiting(*connection);
    doom(*connection);
    return;
  }
  if (connection->framer->pending() == 0) {
    connection->frame_since = kNever;
    resting_framers_.push_back(std::move(connection->framer));
    return;
  }
  if (frames_taken || connection->frame_since == kNever) connection->frame_since = now;
  arm(*connection, deadline_of(*connection));
}

bool ClientConnections::has_unfinished_frame(std::uint32_t handle) {
  const Connection* connection = find(handle);
  return connection != nullptr && connection->framer != nullptr;
}

void ClientConnections::handle_frames_done() {
  for (std::unique_ptr<turn::StreamFramer>& framer : resting_framers_) {
    if (spare_framers_.size() < kSpareFramersLimit) spare_framers_.push_back(std::move(framer));
  }
  resting_framers_.clear();
}

void ClientConnections::send_media(const turn::Client& client, Bytes bytes, Instant now) {
  Connection* connection = find(client);
  if (connection == nullptr) return;
  if (waiting_bytes(*connection) + bytes.size() > kStreamQueueBytesLimit) {
    counters_.add(Counter::dropped_by_stream_queue,
                  connection->out->drop_oldest_media(kStreamQueueBytesLimit / 2));
  }
  // What cannot be dropped fills it.
  if (waiting_bytes(*connection) + bytes.size() > kStreamQueueBytesLimit) {
    counters_.add(Counter::dropped_by_stream_queue);
    return;
  }
  queue(*connection, bytes, StreamQueue::Kind::media, now);
}

void ClientConnections::send_control(const turn::Client& client, Bytes bytes, Instant now) {
  Connection* connection = find(client);
  if (connection == nullptr) return;
  if (!has_room_for_control(*connection, bytes.size())) {
    doom(*connection);
    return;
  }
  queue(*connection, bytes, StreamQueue::Kind::control, now);
}

bool ClientConnections::has_room_for_control(Connection& connection, std::size_t bytes) {
  if (connection.has_allocation) {
    return waiting_bytes(connection) + bytes <= kStreamQueueBytesLimit + kStreamControlReserveBytes;
  }
  // What waits only for the end of this wake-up is not held against a client that reads.
  const bool full = waiting_bytes(connection) + bytes > kStreamQueueBytesLimitWithoutAllocation;
  if (full && !connection.waits_for_room) send_waiting(connection);
  return waiting_bytes(connection) + bytes <= kStreamQueueBytesLimitWithoutAllocation;
}

void ClientConnections::queue(Connection& connection, Bytes bytes, StreamQueue::Kind kind, Instant now) {
  if (!connection.out && connection.has_allocation && !spare_queues_.empty()) {
    connection.out = std::move(spare_queues_.back());
    spare_queues_.pop_back();
    spare_queue_bytes_ -= connection.out->capacity();
  }
  if (!connection.out) connection.out = std::make_unique<StreamQueue>();
  connection.out->add(bytes, kind, now);
  if (connection.to_flush || connection.waits_for_room) return;
  connection.to_flush = true;
  to_flush_.push_back(connection.client.handle);
}

void ClientConnections::flush() {
  for (std::size_t left = kFlushesARound; left > 0 && has_to_flush(); --left) {
    Connection* connection = find(to_flush_[flushed_++]);
    // Another connection may have got the handle of one that is gone.
    if (connection == nullptr || !connection->to_flush) continue;
    connection->to_flush = false;
    send_waiting(*connection);
  }
  // Each handle is moved at most once.
  if (flushed_ * 2 < to_flush_.size()) return;
  to_flush_.erase(to_flush_.begin(), to_flush_.begin() + static_cast<std::ptrdiff_t>(flushed_));
  flushed_ = 0;
}

bool ClientConnections::handle_writable(std::uint32_t handle, Instant now) {
  Connection* connection = find(handle);
  if (connection == nullptr || !connection->waits_for_room) return false;
  const bool read_on = std::exchange(connection->read_waits_for_room, false);
  drop_stale(*connection, now);
  send_waiting(*connection);
  return read_on;
}

void ClientConnections::drop_stale(Connection& connection, Instant now) {
  if (!connection.out || !connection.out->has_media_before(now - kStaleMedia)) return;
  counters_.add(Counter::dropped_by_stream_queue, connection.out->drop_media_before(now - kStaleMedia / 2));
}

void ClientConnections::send_waiting(Connection& connection) {
  while (waiting_bytes(connection) > 0) {
    const Bytes rest = connection.out->unsent();
    const std::size_t count = send_some(connection, rest);
    if (connection.doomed) return;
    if (count > 0) {
      connection.out->handle_sent(count);
      continue;
    }
    if (connection.tls) connection.out->hold(std::min(rest.size(), io::TlsConnection::kRecordBytesLimit));
    watch(connection, true);
    return;
  }
  if (connection.out) keep_spare(std::move(connection.out));
  watch(connection, false);
}

void ClientConnections::keep_spare(std::unique_ptr<StreamQueue> queue) {
  const std::size_t bytes = spare_queue_bytes_ + queue->capacity();
  if (spare_queues_.size() >= kSpareQueuesLimit || bytes > kSpareQueuesBytesLimit) return;
  spare_queue_bytes_ = bytes;
  spare_queues_.push_back(std::move(queue));
}

void ClientConnections::watch(Connection& connection, bool for_room) {
  if (connection.waits_for_room == for_room) return;
  connection.waits_for_room = for_room;
  watch(connection);
}

// Who brings media in the clear is told of once: a second look of the kernel after each packet costs more
// than to know when one is needed (look_again()). Behind TLS that is not known, and would gain nothing that
// can be measured.
void ClientConnections::watch(Connection& connection) {
  const bool once = connection.has_allocation && !connection.tls;
  const io::Interest interest{.readable = true, .writable = connection.waits_for_room, .once = once};
  if (!poller_.modify(connection.socket.get(), interest, tag_of(connection).pack())) doom(connection);
}

void ClientConnections::look_again(std::uint32_t handle) {
  if (Connection* connection = find(handle)) watch(*connection);
}

void ClientConnections::set_has_allocation(const turn::Client& client, bool has_allocation, Instant now) {
  Connection* connection = find(client);
  if (connection == nullptr || connection->has_allocation == has_allocation) return;
  connection->has_allocation = has_allocation;
  // A socket that cannot keeps more of what is stale.
  if (has_allocation) (void)io::limit_unsent(connection->socket, kUnsentBytesLimit);
  if (!connection->tls) watch(*connection);
  count_without_allocation(client.five_tuple.client_address.ip, has_allocation ? -1 : 1);
  connection->idle_since = now;
  arm(*connection, deadline_of(*connection));
}

void ClientConnections::handle_deadlines(Instant now) {
  while (const auto handle = deadlines_.pop_due(now)) {
    Connection* connection = find(*handle);
    if (connection == nullptr) continue;
    connection->armed = kNever;
    const Instant deadline = deadline_of(*connection);
    if (deadline > now) {
      arm(*connection, deadline);
      continue;
    }
    counters_.add(Counter::connections_timed_out);
    doom(*connection);
  }
}

std::optional<turn::Client> ClientConnections::take_doomed() {
  if (doomed_.empty()) return std::nullopt;
  const std::uint32_t index = doomed_.back();
  doomed_.pop_back();
  const std::unique_ptr<Connection> connection = std::move(connections_[index]);
  free_.push_back(index);
  deadlines_.cancel(connection->client.handle);
  if (!connection->has_allocation)
    count_without_allocation(connection->client.five_tuple.client_address.ip, -1);
  counters_.set(Counter::connections_live, connections_.size() - free_.size());
  return connection->client;
}

void ClientConnections::close_all() {
  connections_.clear();
  free_.clear();
  to_flush_.clear();
  flushed_ = 0;
  resting_framers_.clear();
  doomed_.clear();
  deadlines_ = {};
  handshakes_ = 0;
  handshake_order_.clear();
  waiting_turns_.clear();
  turns_given_ = 0;
  handshake_steps_left_ = kHandshakeStepsARound;
  without_allocation_ = 0;
  without_allocation_by_address_.clear();
  counters_.set(Counter::connections_live, 0);
}

ClientConnections::Connection* ClientConnections::find(std::uint32_t handle) {
  const std::size_t index = index_of(handle);
  if (index >= connections_.size() || !connections_[index] || connections_[index]->doomed) return nullptr;
  return connections_[index].get();
}

ClientConnections::Connection* ClientConnections::find(const turn::Client& client) {
  Connection* connection = find(client.handle);
  return connection != nullptr && connection->client.five_tuple == client.five_tuple ? connection : nullptr;
}

ClientConnections::Connection* ClientConnections::find_tagged(const EventTag& tag) {
  Connection* connection = find(tag.index | kHandleBit);
  return connection != nullptr && connection->serial == tag.serial ? connection : nullptr;
}

EventTag ClientConnections::tag_of(const Connection& connection) {
  const auto index = static_cast<std::uint32_t>(index_of(connection.client.handle));
  return {EventKind::connection, Family::ipv4, connection.serial, index};
}

void ClientConnections::doom(Connection& connection) {
  if (connection.doomed) return;
  connection.doomed = true;
  // Here and not when it is taken: in between others may come that ask for its place.
  if (connection.phase == Phase::handshaking) handshakes_ -= 1;
  if (connection.turn == Turn::has_come) turns_given_ -= 1;
  doomed_.push_back(static_cast<std::uint32_t>(index_of(connection.client.handle)));
}

// The heap's entry may lie before the true deadline, never behind it: an entry that comes due too early is
// renewed. So a busy stream does not touch the heap with every packet.
void ClientConnections::arm(Connection& connection, Instant deadline) {
  if (deadline >= connection.armed) return;
  connection.armed = deadline;
  deadlines_.set(connection.client.handle, deadline);
}

Instant ClientConnections::deadline_of(const Connection& connection) const {
  const Instant frame = connection.frame_since == kNever ? kNever : connection.frame_since + kFrameTimeout;
  const Instant idle =
      connection.has_allocation ? kNever : connection.idle_since + kConnectionWithoutAllocationTimeout;
  return std::min(frame, idle);
}

bool ClientConnections::within_limits(const Ip& ip) const {
  if (without_allocation_ >= kWithoutAllocationLimit) return false;
  const auto entry = without_allocation_by_address_.find(limited_as(ip));
  return entry == without_allocation_by_address_.end() || entry->second < kWithoutAllocationLimitAnAddress;
}

void ClientConnections::count_without_allocation(const Ip& ip, int change) {
  const auto entry = without_allocation_by_address_.try_emplace(limited_as(ip), 0).first;
  if (change > 0) {
    entry->second += 1;
    without_allocation_ += 1;
    return;
  }
  entry->second -= 1;
  without_allocation_ -= 1;
  if (entry->second == 0) without_allocation_by_address_.erase(entry);
}

}  // namespace offhook::relay
