#include "network.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace offhook::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Of a server with small queues; that of the service is a megabyte and a bit.
constexpr std::size_t kTightOutboundBytes = 24 * 1024;
constexpr std::size_t kOutboundBytes = (1024 + 64) * 1024;

}  // namespace

Network::Socket* Network::find(SocketId socket) {
  const auto found = sockets_.find(socket);
  return found == sockets_.end() ? nullptr : &found->second;
}

void Network::forget_if_over(SocketId socket) {
  const Socket* known = find(socket);
  if (known != nullptr && known->owner == nullptr && !known->is_served) sockets_.erase(socket);
}

Duration Network::delay_of(Access& access) {
  return access.delay + access.dice.between(Duration::zero(), access.jitter);
}

SocketId Network::open(Access& access, SocketOwner& owner) {
  const SocketId id{++opened_};
  Socket& socket = sockets_[id];
  socket.access = &access;
  socket.owner = &owner;
  if (access.dice.percent(stage_.plan.slow_socket_percent)) {
    socket.slow_from = stage_.now() + access.dice.scaled(milliseconds(1), seconds(1));
    socket.slow_until = socket.slow_from + access.dice.scaled(milliseconds(200), seconds(12));
  }
  // Nothing comes back: the device gives up by itself.
  if (access.offline_until > stage_.now()) {
    socket.dead_up = socket.dead_down = true;
    return id;
  }
  stage_.timetable.at(arrival_up(socket), [this, id] { arrive(id); });
  return id;
}

void Network::arrive(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr || socket->dead_up || socket->owner == nullptr) return;
  if (!server_->is_up()) {
    socket->dead_up = true;
    return tell_device(id, arrival_down(*socket), kCloseAbnormal, "refused");
  }
  socket->is_served = true;
  server_->accept_socket(id);
  socket = find(id);
  if (socket == nullptr || socket->dead_down) return;
  stage_.timetable.at(arrival_down(*socket), [this, id] {
    const Socket* opened = find(id);
    if (opened != nullptr && !opened->dead_down && opened->owner != nullptr) {
      opened->owner->handle_socket_opened(id);
    }
  });
}

// Not before a network that stands still goes on: this socket's (its packets are lost, and sent again), or
// all.
Instant Network::sending(const Socket& socket) const {
  const Instant now = stage_.now();
  const bool is_slow = now >= socket.slow_from && now < socket.slow_until;
  return std::max({now, socket.access->frozen_until, is_slow ? socket.slow_until : now});
}

// In order.
Instant Network::arrival_up(Socket& socket) {
  Access& access = *socket.access;
  socket.last_up = std::max(socket.last_up, sending(socket) + delay_of(access));
  return socket.last_up;
}

Instant Network::arrival_down(Socket& socket) {
  Access& access = *socket.access;
  socket.last_down = std::max({socket.last_down, sending(socket) + delay_of(access), access.stalled_until});
  return socket.last_down;
}

void Network::write_up(SocketId id, std::string text) {
  Socket* socket = find(id);
  if (socket == nullptr || socket->dead_up) return;
  stage_.timetable.at(arrival_up(*socket), [this, id, text = std::move(text)] {
    const Socket* open = find(id);
    if (open != nullptr && !open->dead_up && open->is_served) server_->receive_text(id, text);
  });
}

void Network::close_up(SocketId id) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  socket->owner = nullptr;
  socket->dead_down = true;
  if (socket->is_served && !socket->dead_up && socket->access->dice.percent(70)) {
    tell_server(id, arrival_up(*socket));
  }
  forget_if_over(id);
}

void Network::forget(const SocketOwner& owner) {
  std::vector<SocketId> own;
  for (const auto& [id, socket] : sockets_) {
    if (socket.owner == &owner) own.push_back(id);
  }
  for (const SocketId id : own) close_up(id);
}

bool Network::write_down(SocketId id, std::string text) {
  Socket* socket = find(id);
  if (socket == nullptr || !socket->is_served) return true;
  const std::size_t limit = stage_.plan.is_tight ? kTightOutboundBytes : kOutboundBytes;
  const std::size_t bytes = text.size();
  if (socket->waiting_down_bytes + bytes > limit) {
    close_down(id, 4429, "queue_overflow");
    return false;
  }
  socket->waiting_down_bytes += bytes;
  if (socket->dead_down) return true;
  stage_.timetable.at(arrival_down(*socket), [this, id, bytes, text = std::move(text)] {
    Socket* open = find(id);
    if (open == nullptr || open->dead_down || open->owner == nullptr) return;
    open->waiting_down_bytes -= bytes;
    open->owner->handle_socket_text(id, text);
  });
  return true;
}

void Network::close_down(SocketId id, std::uint16_t code, std::string reason) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  socket->is_served = false;
  socket->dead_up = true;
  if (!socket->dead_down) tell_device(id, arrival_down(*socket), code, std::move(reason));
  forget_if_over(id);
}

void Network::tell_device(SocketId id, Instant when, std::uint16_t code, std::string reason) {
  stage_.timetable.at(when, [this, id, code, reason = std::move(reason)] {
    Socket* closed = find(id);
    if (closed == nullptr) return;
    SocketOwner* owner = std::exchange(closed->owner, nullptr);
    closed->dead_down = true;
    forget_if_over(id);
    if (owner != nullptr) owner->handle_socket_closed(id, code, reason);
  });
}

void Network::tell_server(SocketId id, Instant when) {
  stage_.timetable.at(when, [this, id] {
    Socket* closed = find(id);
    if (closed == nullptr || !closed->is_served) return;
    closed->is_served = false;
    closed->dead_up = true;
    forget_if_over(id);
    server_->lose_socket(id);
  });
}

void Network::cut(SocketId id, WhoLearns who) {
  Socket& socket = sockets_.at(id);
  socket.dead_up = socket.dead_down = true;
  Dice& dice = socket.access->dice;
  if (who == WhoLearns::both || who == WhoLearns::server) {
    tell_server(id, stage_.now() + dice.between(Duration::zero(), seconds(2)));
  }
  if (who == WhoLearns::both || who == WhoLearns::device) {
    tell_device(id, stage_.now() + dice.between(Duration::zero(), seconds(2)), kCloseAbnormal, "lost");
  }
}

void Network::cut(const Access& access, WhoLearns who) {
  std::vector<SocketId> own;
  for (const auto& [id, socket] : sockets_) {
    if (socket.access == &access && socket.owner != nullptr) own.push_back(id);
  }
  for (const SocketId id : own) cut(id, who);
}

void Network::cut_all() {
  std::vector<SocketId> all;
  for (const auto& [id, socket] : sockets_) all.push_back(id);
  for (const SocketId id : all) {
    Socket& socket = sockets_.at(id);
    socket.is_served = false;
    const bool is_cut_already = socket.dead_up && socket.dead_down;
    socket.dead_up = socket.dead_down = true;
    if (!is_cut_already) {
      const Duration wait = socket.access->dice.between(milliseconds(1), milliseconds(800));
      tell_device(id, stage_.now() + wait, kCloseAbnormal, "lost");
    }
    forget_if_over(id);
  }
}

}  // namespace offhook::sim
