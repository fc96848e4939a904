#include "core/call/server.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

#include "core/call/calls.h"
#include "core/call/keys.h"
#include "core/call/sessions.h"

namespace offhook::call {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

constexpr std::uint16_t kCloseNormal = 1000;
// RFC 6455 section 5.5: a close frame has 125 bytes, and two of them are the code.
constexpr std::size_t kMaxCloseReason = 123;

// Whoever waits so long is not refused again for a fraction of a millisecond.
std::uint64_t milliseconds_rounded_up(Duration span) {
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(span).count());
}

std::optional<std::uint64_t> retry_after_ms(const Refusal& refusal) {
  if (!refusal.retry_after) return std::nullopt;
  return milliseconds_rounded_up(*refusal.retry_after);
}

signal::Body error_about(const Refusal& refusal, const signal::CallId& call, std::uint64_t seq) {
  return signal::error(refusal.code, refusal.message, &call, seq, retry_after_ms(refusal));
}
signal::Body error_about(const Refusal& refusal, const signal::RoomName& room, std::uint64_t seq) {
  return signal::error_about_room(refusal.code, refusal.message, room, seq, retry_after_ms(refusal));
}
signal::Body error_about(const Refusal& refusal, std::string_view user, std::uint64_t seq) {
  return signal::error_about_user(refusal.code, refusal.message, user, seq, retry_after_ms(refusal));
}

}  // namespace

class Server::Impl {
 public:
  Impl(const Settings& settings, Random& random)
      : settings_(settings),
        sessions_(settings_, random, deadlines_),
        calls_(settings_, sessions_, deadlines_) {}

  void restore(const std::vector<WaitingCall>& waiting, const Step& step) {
    for (const WaitingCall& call : waiting) calls_.restore(call, step);
    settle(step);
  }

  void hello(ConnectionId connection, const VerifiedDevice& device,
             const std::optional<signal::Resume>& resume, const Step& step) {
    Session* session = resume ? sessions_.find(*resume, device.user) : nullptr;
    if (session != nullptr && Sessions::is_late(*session, *resume)) {
      step.outbox.push_back(CloseConnection{connection, kCloseReplaced, "replaced"});
      return;
    }
    if (session != nullptr && Sessions::can_replay(*session, resume->ack)) {
      session->attempt = std::max(session->attempt, resume->attempt);
      resume_session(*session, connection, device, resume->ack, step);
      return;
    }
    // Its numbers do not fit, so both sides start again; the client tells what it knows of its calls.
    if (session != nullptr) end_session(session->key, kCloseReplaced, "replaced", step);
    if (make_room(device.user, step)) {
      Session& opened = sessions_.open(device.user);
      sessions_.attach(opened, connection, device, false, step);
      calls_.handle_attached(opened, step);
    } else {
      step.outbox.push_back(CloseConnection{connection, kCloseOverload, "too_many_sessions"});
    }
    settle(step);
  }

  void frame(ConnectionId connection, Result<signal::ClientFrame, signal::ParseError> frame,
             const Step& step) {
    Session* session = sessions_.find(connection);
    if (session == nullptr) return;
    const SessionKey key = session->key;
    sessions_.heard(*session, step.now);
    if (!frame) {
      end_session(key, kCloseBadMessage, frame.error().text, step);
    } else if (frame->ack && !sessions_.acknowledge(*session, *frame->ack)) {
      end_session(key, kCloseBadMessage, "bad_message: ack is ahead of what was sent", step);
    } else {
      content(*session, std::move(frame->content), step);
    }
    settle(step);
  }

  void waking(const signal::CallId& call, Waking waking, const Step& step) {
    calls_.handle_waking(call, waking, step);
  }

  void connection_closed(ConnectionId connection, Instant now) {
    Session* session = sessions_.find(connection);
    if (session != nullptr) sessions_.detach(*session, now);
  }

  void deadlines(const Step& step) {
    while (const std::optional<DeadlineKey> due = deadlines_.pop_due(step.now)) {
      deadline(*due, step);
      settle(step);
    }
  }

  void shutdown(const Step& step) {
    calls_.shutdown(step);
    sessions_.for_each([&](const Session& session) {
      sessions_.close(session.key, kCloseGoingAway, "server_shutdown", step);
    });
    (void)sessions_.take_overflowed();  // a queue that overflowed has gone with its session
  }

  bool end_by_app(const signal::CallId& call, const Step& step) {
    const bool ended = calls_.end_by_app(call, step);
    settle(step);
    return ended;
  }

  Placed place(const std::string& caller, std::string_view callee, signal::Media media, const Step& step) {
    const signal::CallId call = *signal::CallId::parse("c_" + sessions_.random_text());
    if (calls_.is_blocked(caller, callee)) return {call, 0, true};
    const std::size_t devices = calls_.place(call, caller, callee, media, step);
    settle(step);
    return {call, devices};
  }

  bool block(const std::string& by, const std::string& of, const Step& step) {
    const bool done = calls_.block(by, of, step);
    settle(step);
    return done;
  }

  Revoked revoke(std::string_view user, const Step& step) {
    const std::vector<SessionKey> devices = sessions_.of_user(user);
    const Revoked revoked{devices.size(), calls_.end_of_revoked(user, step)};
    for (const SessionKey device : devices) end_session(device, kCloseToken, "token_revoked", step);
    settle(step);
    return revoked;
  }

  Presence presence(std::string_view user) {
    Presence presence;
    for (const SessionKey key : sessions_.of_user(user)) {
      const Session& session = *sessions_.find(key);
      if (session.holds_place) continue;  // its device is not back yet
      Presence::Device device{session.id, session.connection.has_value(), {}};
      for (const auto* calls : {&session.dialled, &session.incoming}) {
        for (const CallKey call : *calls) {
          device.calls.push_back(calls_.id_of(call));
          presence.in_call = presence.in_call || calls_.is_accepted(call);
        }
      }
      presence.devices.push_back(std::move(device));
    }
    return presence;
  }

  Instant next_deadline() const { return deadlines_.next(); }
  Calls& calls() { return calls_; }
  const Sessions& sessions() const { return sessions_; }
  Counts counts() const { return {sessions_.connections(), sessions_.size(), calls_.size()}; }

  std::optional<std::string> broken_invariant() {
    if (auto broken = sessions_.broken_invariant()) return broken;
    if (auto broken = calls_.broken_invariant()) return broken;
    const std::size_t due = sessions_.deadlines_due() + calls_.deadlines_due();
    if (deadlines_.size() == due) return std::nullopt;
    return std::to_string(deadlines_.size()) + " deadlines are set and " + std::to_string(due) + " are due";
  }

 private:
  void resume_session(Session& session, ConnectionId connection, const VerifiedDevice& device,
                      std::uint64_t ack, const Step& step) {
    const bool acknowledged = sessions_.acknowledge(session, ack);
    assert(acknowledged);
    (void)acknowledged;
    sessions_.attach(session, connection, device, true, step);
    calls_.handle_resumed(session, step);
    sessions_.replay(session, step);
  }

  // True if `user` may open one more session. The longest detached session without a call makes room: it is
  // most likely a page that was closed without a word.
  bool make_room(std::string_view user, const Step& step) {
    const std::vector<SessionKey>& own = sessions_.of_user(user);
    if (own.size() >= settings_.max_sessions_per_user) {
      const Session* idle = nullptr;
      for (const SessionKey key : own) {
        const Session* session = sessions_.find(key);
        const bool unused = !session->connection && session->dialled.empty() && session->incoming.empty() &&
                            !calls_.is_member(*session);
        if (unused && (idle == nullptr || session->detached_at < idle->detached_at)) idle = session;
      }
      if (idle == nullptr) return false;
      end_session(idle->key, kCloseOverload, "too_many_sessions", step);
    }
    return sessions_.size() < settings_.max_sessions;
  }

  void content(Session& session, decltype(signal::ClientFrame::content) content, const Step& step) {
    const SessionKey key = session.key;
    std::visit(Overloaded{
                   [&](const signal::Hello&) {
                     end_session(key, kCloseBadMessage, "bad_message: hello comes once", step);
                   },
                   [&](const signal::Ping&) {
                     step.outbox.push_back(SendFrame{*session.connection, signal::pong_frame()});
                   },
                   [](const signal::Pong&) {},
                   [](const signal::Ack&) {},
                   [&](signal::Numbered& message) { numbered(session, message, step); },
               },
               content);
  }

  void numbered(Session& session, signal::Numbered& message, const Step& step) {
    const SessionKey key = session.key;
    switch (sessions_.arrive(session, message, step.now)) {
      case Sessions::Arrival::repeated:
      case Sessions::Arrival::early:
        break;
      case Sessions::Arrival::too_early:
        end_session(key, kCloseBadMessage, "bad_message: seq is too far ahead of a gap", step);
        return;
      case Sessions::Arrival::next:
        process(key, message.message, step);
        process_early(key, step);
        break;
    }
    Session* left = sessions_.find(key);
    if (left != nullptr) sessions_.acknowledge_if_many(*left, step);
  }

  void process_early(SessionKey key, const Step& step) {
    for (;;) {
      Session* session = sessions_.find(key);
      if (session == nullptr || session->closing) return;
      const std::optional<signal::NumberedMessage> next = sessions_.take_early(*session, step.now);
      if (!next) return;
      process(key, *next, step);
    }
  }

  // One message in its turn. Here and in about() alone `error` is sent.
  void process(SessionKey key, const signal::NumberedMessage& message, const Step& step) {
    Session& session = *sessions_.find(key);
    const std::uint64_t seq = session.processed;
    std::visit(Overloaded{
                   [&](const signal::Bye&) { end_session(key, kCloseNormal, "bye", step); },
                   [&](const signal::Refused& refused) {
                     const signal::CallId* call = refused.call ? &*refused.call : nullptr;
                     sessions_.send(key, signal::error(refused.code, refused.message, call, seq),
                                    std::nullopt, step);
                   },
                   [&](const signal::Elsewhere&) { calls_.tell_elsewhere(session, step); },
                   [&](const signal::Block& block) { about(block.user, session, block, seq, step); },
                   [&](const signal::Unblock& unblock) { about(unblock.user, session, unblock, seq, step); },
                   [&](const signal::Join& join) { about(join.room, session, join, seq, step); },
                   [&](const signal::Leave& leave) { about(leave.room, session, leave, seq, step); },
                   [&](const auto& about_call) { about(about_call.call, session, about_call, seq, step); },
               },
               message);
  }

  // `what`: the call, the room or the user that it is about.
  template <typename Message, typename What>
  void about(const What& what, Session& session, const Message& message, std::uint64_t seq,
             const Step& step) {
    const SessionKey key = session.key;
    const Handled handled = calls_.handle(session, message, step);
    if (!handled) sessions_.send(key, error_about(handled.error(), what, seq), std::nullopt, step);
  }

  void deadline(const DeadlineKey& due, const Step& step) {
    const SessionKey key{due.slot};
    switch (due.timer) {
      case Timer::silence: {
        Session& session = *sessions_.find(key);
        if (!sessions_.is_silent(session, step.now)) return;
        step.outbox.push_back(CloseConnection{*session.connection, kCloseTimeout, "timeout"});
        sessions_.detach(session, step.now);
        return;
      }
      case Timer::grace:
        end_session(key, kCloseTimeout, "timeout", step);
        return;
      case Timer::credentials:
        sessions_.push_credentials(key, step);
        return;
      case Timer::ack:
        sessions_.send_ack(*sessions_.find(key), step);
        return;
      case Timer::ring:
        calls_.handle_ring_timeout(CallKey{due.slot}, step);
        return;
      case Timer::unreachable:
        calls_.handle_unreachable_timeout(CallKey{due.slot}, step);
        return;
      case Timer::claim:
        calls_.handle_claim_timeout(ClaimKey{due.slot}, step);
        return;
    }
  }

  void end_session(SessionKey key, std::uint16_t code, std::string_view reason, const Step& step) {
    calls_.handle_gone(*sessions_.find(key), step);
    sessions_.close(key, code, reason.substr(0, kMaxCloseReason), step);
  }

  // Ends the sessions whose queues overflowed in this step; what that sends may overflow others.
  void settle(const Step& step) {
    for (std::vector<SessionKey> full = sessions_.take_overflowed(); !full.empty();
         full = sessions_.take_overflowed()) {
      for (const SessionKey key : full) {
        if (sessions_.find(key) != nullptr) end_session(key, kCloseOverload, "queue_overflow", step);
      }
    }
  }

  const Settings settings_;
  Deadlines deadlines_;
  Sessions sessions_;
  Calls calls_;
};

Server::Server(const Settings& settings, Random& random) : impl_(std::make_unique<Impl>(settings, random)) {}
Server::~Server() = default;

void Server::restore(const std::vector<WaitingCall>& waiting, Instant now, Outbox& outbox) {
  impl_->restore(waiting, Step{now, outbox});
}

void Server::handle_hello(ConnectionId connection, const VerifiedDevice& device,
                          const std::optional<signal::Resume>& resume, Instant now, Outbox& outbox) {
  assert(signal::is_user(device.user));
  impl_->hello(connection, device, resume, Step{now, outbox});
}

void Server::handle_frame(ConnectionId connection, Result<signal::ClientFrame, signal::ParseError> frame,
                          Instant now, Outbox& outbox) {
  impl_->frame(connection, std::move(frame), Step{now, outbox});
}

void Server::handle_waking(const signal::CallId& call, Waking waking, Instant now, Outbox& outbox) {
  impl_->waking(call, waking, Step{now, outbox});
}

void Server::handle_connection_closed(ConnectionId connection, Instant now, Outbox&) {
  impl_->connection_closed(connection, now);
}

void Server::handle_deadlines(Instant now, Outbox& outbox) { impl_->deadlines(Step{now, outbox}); }

Instant Server::next_deadline() const { return impl_->next_deadline(); }

void Server::shutdown(Instant now, Outbox& outbox) { impl_->shutdown(Step{now, outbox}); }

bool Server::handle_end(const signal::CallId& call, Instant now, Outbox& outbox) {
  return impl_->end_by_app(call, Step{now, outbox});
}

Placed Server::handle_place(const std::string& caller, std::string_view callee, signal::Media media,
                            Instant now, Outbox& outbox) {
  assert(signal::is_user(caller) && signal::is_user(callee) && caller != callee);
  return impl_->place(caller, callee, media, Step{now, outbox});
}

void Server::restore_blocks(const std::vector<UserBlock>& kept) { impl_->calls().restore_blocks(kept); }

bool Server::handle_block(const std::string& by, const std::string& of, Instant now, Outbox& outbox) {
  assert(signal::is_user(by) && signal::is_user(of) && by != of);
  return impl_->block(by, of, Step{now, outbox});
}

void Server::handle_unblock(std::string_view by, std::string_view of, Instant now, Outbox& outbox) {
  impl_->calls().unblock(by, of, Step{now, outbox});
}

BlockPage Server::blocks(std::string_view user, std::string_view after, std::size_t limit) const {
  return impl_->calls().blocks().page(user, after, limit);
}

Revoked Server::handle_revoke(std::string_view user, Instant now, Outbox& outbox) {
  return impl_->revoke(user, Step{now, outbox});
}

std::optional<CallRecord> Server::record(const signal::CallId& call, Instant now) const {
  return impl_->calls().record(call, now);
}

CallPage Server::page(const CallQuery& query, Instant now) const { return impl_->calls().page(query, now); }

Presence Server::presence(std::string_view user) const { return impl_->presence(user); }

std::optional<std::string> Server::session_of(ConnectionId connection) const {
  const Session* session = impl_->sessions().find(connection);
  if (session == nullptr) return std::nullopt;
  return session->id;
}

Server::Counts Server::counts() const { return impl_->counts(); }

std::optional<std::string> Server::broken_invariant() const { return impl_->broken_invariant(); }

}  // namespace offhook::call
