// A connection until it is known what it speaks, and the ways of its bytes: in the clear or by TLS.

#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <utility>

#include "service/relay/client_connections.h"

namespace offhook::relay {
namespace {

using Status = io::TlsConnection::Status;

bool come_again() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

bool ClientConnections::identify(Connection& connection, Instant now) {
  if (connection.phase == Phase::fresh) {
    const auto protocol = first_protocol(connection);
    if (!protocol) return false;
    switch (*protocol) {
      case Protocol::tls:
        break;
      case Protocol::http:
        hand_over(connection);
        return false;
      case Protocol::turn:
        connection.phase = Phase::turn;
        return true;
    }
  }
  if (connection.phase == Phase::fresh || connection.phase == Phase::handshaking) {
    if (certificates_ == nullptr) {
      doom(connection);
      return false;
    }
    if (!take_handshake_step(connection)) return false;
    if (connection.phase == Phase::fresh) begin_tls(connection, now);
    if (!connection.doomed) shake_hands(connection, now);
  }
  if (connection.phase != Phase::secured || connection.doomed) return false;
  const auto protocol = first_protocol(connection);
  if (!protocol) return false;
  switch (*protocol) {
    case Protocol::tls:  // inside itself
      doom(connection);
      return false;
    case Protocol::http:
      hand_over(connection);
      return false;
    case Protocol::turn:
      connection.phase = Phase::turn;
      connection.frame_since = kNever;
      return true;
  }
  return false;
}

// The byte stays where it is, for whoever will read it.
std::optional<Protocol> ClientConnections::first_protocol(Connection& connection) {
  std::uint8_t first = 0;
  if (connection.tls) {
    const auto peeked = connection.tls->peek({&first, 1});
    if (peeked.status == Status::done) return protocol_of(first);
    if (peeked.status == Status::ended) doom(connection);
    if (peeked.status == Status::wants_write) {
      connection.read_waits_for_room = true;
      watch(connection, true);
    }
    return std::nullopt;
  }
  const ssize_t count = recv(connection.socket.get(), &first, 1, MSG_DONTWAIT | MSG_PEEK);
  if (count > 0) return protocol_of(first);
  if (count == 0 || !come_again()) doom(connection);
  return std::nullopt;
}

void ClientConnections::begin_round() {
  while (turns_given_ < kHandshakeStepsARound && !waiting_turns_.empty()) {
    Connection* connection = find_tagged(waiting_turns_.front());
    waiting_turns_.pop_front();
    if (connection == nullptr || connection->turn != Turn::waits) continue;
    // Whether it waited for bytes or for room is not told apart: it goes on by what is there, as what it
    // waited for is there still.
    connection->waits_for_room = true;
    connection->read_waits_for_room = true;
    connection->turn = Turn::not_needed;
    const io::Interest interest{.readable = true, .writable = true};
    if (!poller_.add(connection->socket.get(), interest, tag_of(*connection).pack())) {
      doom(*connection);
      continue;
    }
    connection->turn = Turn::has_come;
    turns_given_ += 1;
  }
  // While others wait, newcomers get nothing before them: they join the queue.
  handshake_steps_left_ = kHandshakeStepsARound - turns_given_;
}

bool ClientConnections::take_handshake_step(Connection& connection) {
  switch (connection.turn) {
    case Turn::waits:
      return false;
    case Turn::has_come:
      connection.turn = Turn::not_needed;
      connection.read_waits_for_room = false;
      turns_given_ -= 1;
      return true;
    case Turn::not_needed:
      break;
  }
  if (handshake_steps_left_ > 0) {
    handshake_steps_left_ -= 1;
    return true;
  }
  connection.turn = Turn::waits;
  poller_.remove(connection.socket.get());
  if (waiting_turns_.size() >= 2 * kWithoutAllocationLimit) {
    std::erase_if(waiting_turns_, [this](const EventTag& tag) { return find_tagged(tag) == nullptr; });
  }
  waiting_turns_.push_back(tag_of(connection));
  return false;
}

void ClientConnections::begin_tls(Connection& connection, Instant now) {
  if (handshakes_ >= kHandshakesLimit) end_oldest_handshake();
  connection.tls = io::TlsConnection::begin(certificates_->current()->context, connection.socket.get());
  if (!connection.tls) {
    doom(connection);
    return;
  }
  connection.phase = Phase::handshaking;
  handshakes_ += 1;
  remember_handshake(connection);
  connection.frame_since = now;
  arm(connection, deadline_of(connection));
}

void ClientConnections::end_oldest_handshake() {
  while (!handshake_order_.empty()) {
    Connection* oldest = find_tagged(handshake_order_.front());
    handshake_order_.pop_front();
    if (oldest == nullptr || oldest->phase != Phase::handshaking) continue;
    counters_.add(Counter::connections_refused);
    doom(*oldest);
    return;
  }
}

void ClientConnections::remember_handshake(const Connection& connection) {
  const auto is_over = [this](const EventTag& tag) {
    const Connection* each = find_tagged(tag);
    return each == nullptr || each->phase != Phase::handshaking;
  };
  while (!handshake_order_.empty() && is_over(handshake_order_.front())) handshake_order_.pop_front();
  // Behind one that lasts, many may have come and gone.
  if (handshake_order_.size() >= 2 * kHandshakesLimit) std::erase_if(handshake_order_, is_over);
  handshake_order_.push_back(tag_of(connection));
}

void ClientConnections::shake_hands(Connection& connection, Instant now) {
  switch (connection.tls->handshake()) {
    case Status::done:
      handshakes_ -= 1;
      connection.phase = Phase::secured;
      connection.frame_since = now;
      arm(connection, deadline_of(connection));
      counters_.add(Counter::tls_handshakes);
      watch(connection, false);
      return;
    case Status::wants_read:
      watch(connection, false);
      return;
    case Status::wants_write:
      connection.read_waits_for_room = true;
      watch(connection, true);
      return;
    case Status::ended:
      counters_.add(Counter::tls_handshakes_failed);
      doom(connection);
      return;
  }
}

// Whoever takes it over reads its first byte again. What is left here is closed like any other connection.
void ClientConnections::hand_over(Connection& connection) {
  doom(connection);
  if (connection.service != Service::turn_and_http || http_ == nullptr) return;
  // Its descriptor lives on elsewhere, and with it the poller's interest would.
  poller_.remove(connection.socket.get());
  const bool given = http_->give(
      {std::move(connection.socket), std::move(connection.tls), connection.client.five_tuple.client_address});
  counters_.add(given ? Counter::http_connections : Counter::connections_refused);
}

std::size_t ClientConnections::receive(Connection& connection, MutableBytes space, Source source) {
  if (connection.tls) return receive_secured(connection, space, source);
  const ssize_t count = recv(connection.socket.get(), space.data(), space.size(), MSG_DONTWAIT);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0 || !come_again()) doom(connection);
  return 0;
}

std::size_t ClientConnections::receive_secured(Connection& connection, MutableBytes space, Source source) {
  std::size_t filled = 0;
  while (filled < space.size()) {
    // The socket is asked once. Should it have more, it says so.
    const bool may_ask = source == Source::socket && filled == 0;
    if (!may_ask && !connection.tls->is_buffering()) break;
    const auto read = may_ask ? connection.tls->read(space.subspan(filled))
                              : connection.tls->read_buffered(space.subspan(filled));
    filled += read.bytes;
    if (read.status == Status::done) continue;
    // What was read before the end is served first. No event will tell of the end again: it may be an alert
    // that is taken out of the socket now, with no FIN behind it.
    if (read.status == Status::ended) connection.read_ended = true;
    if (connection.read_ended && filled == 0) doom(connection);
    if (read.status == Status::wants_write) {
      connection.read_waits_for_room = true;
      watch(connection, true);
    }
    break;
  }
  return filled;
}

std::size_t ClientConnections::send_some(Connection& connection, Bytes bytes) {
  if (connection.tls) {
    const auto wrote = connection.tls->write(bytes);
    // Without renegotiation a finished handshake never makes a write wait for a read.
    if (wrote.status == Status::ended || wrote.status == Status::wants_read) doom(connection);
    return wrote.bytes;
  }
  for (;;) {
    const ssize_t count =
        send(connection.socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) doom(connection);
    return 0;
  }
}

}  // namespace offhook::relay
