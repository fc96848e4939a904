#include "service/signal/signal_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/deadline_heap.h"
#include "service/signal/call_journal.h"
#include "service/signal/call_log.h"
#include "service/signal/frame_rate.h"
#include "wire/signal/client_frame.h"
#include "wire/signal/server_frame.h"

namespace offhook::service {
class SignalService::Impl : public std::enable_shared_from_this<SignalService::Impl> {
 public:
  Impl(io::ControlLoop& loop, SignalSettings settings, const credentials::TokenVerifier& verifier,
       Random& random, SignalHooks hooks)
      : settings_(std::move(settings)),
        hooks_(std::move(hooks)),
        verifier_(verifier),
        journal_(settings_.journal_file),
        core_(settings_.call, random),
        timer_(loop, [this] { handle_due(); }) {
    restore();
  }

  io::WebSocketEvents open(io::WebSocket& socket, const io::HttpRequest& request) {
    counters_.connections_opened += 1;
    if (closing_) {
      socket.close(call::kCloseGoingAway, "server_shutdown");
      return {};
    }
    const call::ConnectionId id{++last_connection_};
    connections_.emplace(
        id,
        Connection{&socket, FrameRate(settings_.frames_per_second, settings_.frames_burst),
                   request.client_address.ip, request.local_address, std::string(request.header("Host"))});
    hello_deadlines_.set(id, io::ControlLoop::now().monotonic + settings_.hello_timeout);
    arm_timer();
    // Weak: the server may outlive this service.
    return {[weak = weak_from_this(), id](std::string_view text) {
              if (const auto self = weak.lock()) self->handle_message(id, text);
            },
            [weak = weak_from_this(), id] {
              if (const auto self = weak.lock()) self->handle_closed(id);
            }};
  }

  void shutdown() {
    closing_ = true;
    call::Outbox outbox;
    core_.shutdown(io::ControlLoop::now().monotonic, outbox);
    carry_out(outbox);
    while (!connections_.empty())
      close(connections_.begin()->first, call::kCloseGoingAway, "server_shutdown");
    arm_timer();
  }

  bool end_call(const signal::CallId& call) {
    call::Outbox outbox;
    const bool ended = core_.handle_end(call, io::ControlLoop::now().monotonic, outbox);
    carry_out(outbox);
    arm_timer();
    return ended;
  }

  call::Placed place_call(const std::string& caller, std::string_view callee, signal::Media media) {
    call::Outbox outbox;
    call::Placed placed = core_.handle_place(caller, callee, media, io::ControlLoop::now().monotonic, outbox);
    carry_out(outbox);
    arm_timer();
    return placed;
  }

  call::Revoked end_sessions_of(std::string_view user) {
    call::Outbox outbox;
    const call::Revoked revoked = core_.handle_revoke(user, io::ControlLoop::now().monotonic, outbox);
    carry_out(outbox);
    arm_timer();
    return revoked;
  }

  bool block(const std::string& by, const std::string& of) {
    call::Outbox outbox;
    const bool done = core_.handle_block(by, of, io::ControlLoop::now().monotonic, outbox);
    carry_out(outbox);
    arm_timer();
    return done;
  }

  void unblock(std::string_view by, std::string_view of) {
    call::Outbox outbox;
    core_.handle_unblock(by, of, io::ControlLoop::now().monotonic, outbox);
    carry_out(outbox);
    arm_timer();
  }

  const call::Server& core() const { return core_; }

  void handle_waking(const signal::CallId& call, call::Waking waking) {
    call::Outbox outbox;
    core_.handle_waking(call, waking, io::ControlLoop::now().monotonic, outbox);
    carry_out(outbox);
    arm_timer();
  }

  SignalCounters counters() const {
    SignalCounters counters = counters_;
    counters.live = core_.counts();
    return counters;
  }

 private:
  void restore() {
    const Now now = io::ControlLoop::now();
    call::Outbox outbox;
    core_.restore_blocks(journal_.take_blocks());
    core_.restore(journal_.take_waiting(now.wall), now.monotonic, outbox);
    const std::size_t calls = core_.counts().calls;
    if (calls > 0) spdlog::info("{} calls of before this start ring on", calls);
    carry_out(outbox);
    arm_timer();
  }

  struct Connection {
    io::WebSocket* socket = nullptr;
    FrameRate rate;
    Ip client;              // the client, or the proxy in front of us
    Address local_address;  // how the client reached us
    std::string host;
    bool greeted = false;  // its hello was good: the core knows it
  };

  void handle_message(call::ConnectionId id, std::string_view text) {
    const auto entry = connections_.find(id);
    if (entry == connections_.end()) return;
    Connection& connection = entry->second;
    const Now now = io::ControlLoop::now();
    counters_.frames_received += 1;
    call::Outbox outbox;
    if (!connection.rate.take(now.monotonic)) {
      counters_.connections_rate_limited += 1;
      drop(id, call::kCloseOverload, "too_many_frames", now.monotonic, outbox);
    } else if (connection.greeted) {
      core_.handle_frame(id, signal::parse_client_frame(text), now.monotonic, outbox);
    } else {
      handle_first_frame(id, connection, text, now, outbox);
    }
    carry_out(outbox);
    arm_timer();
  }

  void handle_first_frame(call::ConnectionId id, Connection& connection, std::string_view text,
                          const Now& now, call::Outbox& outbox) {
    const auto frame = signal::parse_client_frame(text);
    if (!frame) return close(id, call::kCloseBadMessage, frame.error().text);
    const auto* hello = std::get_if<signal::Hello>(&frame->content);
    if (hello == nullptr) return close(id, call::kCloseBadMessage, "bad_message: hello comes first");
    auto token = verifier_.verify(hello->token.reveal(), now.wall);
    if (token && !signal::is_user(token->user)) token = fail(credentials::TokenError::bad_subject);
    if (!token) {
      counters_.tokens_refused += 1;
      return close(id, call::kCloseToken, credentials::text(token.error()));
    }
    connection.greeted = true;
    hello_deadlines_.cancel(id);
    const WarmPath ruled = token->warm_path.value_or(settings_.warm_path);
    const WarmPath warm_path = std::max(ruled, hello->warm_path.value_or(ruled));
    core_.handle_hello(id, {token->user, warm_path, connection.client}, hello->resume, now.monotonic, outbox);
  }

  void handle_closed(call::ConnectionId id) {
    if (!connections_.contains(id)) return;
    call::Outbox outbox;
    forget(id, io::ControlLoop::now().monotonic, outbox);
    carry_out(outbox);
    arm_timer();
  }

  void handle_due() {
    armed_for_ = kNever;
    const Instant now = io::ControlLoop::now().monotonic;
    while (const auto id = hello_deadlines_.pop_due(now)) {
      counters_.hello_timeouts += 1;
      close(*id, call::kCloseTimeout, "timeout");
    }
    call::Outbox outbox;
    core_.handle_deadlines(now, outbox);
    carry_out(outbox);
    arm_timer();
  }

  void carry_out(call::Outbox& outbox) {
    // By index: carrying out an effect can add others to the end.
    for (std::size_t i = 0; i < outbox.size(); ++i) {
      const call::Effect effect = std::move(outbox[i]);
      std::visit([&](const auto& one) { carry_out(one, outbox); }, effect);
    }
  }

  void carry_out(const call::SendFrame& frame, call::Outbox& outbox) {
    const auto entry = connections_.find(frame.connection);
    if (entry == connections_.end()) return;
    counters_.frames_sent += 1;
    if (entry->second.socket->send(frame.text)) return;
    // The socket closes itself with 4429; the session waits for a new connection.
    counters_.connections_too_slow += 1;
    forget(frame.connection, io::ControlLoop::now().monotonic, outbox);
  }

  void carry_out(const call::CloseConnection& effect, call::Outbox&) {
    close(effect.connection, effect.code, effect.reason);
  }

  void carry_out(const call::CallEnded& ended, call::Outbox&) {
    counters_.calls_ended += 1;
    counters_.calls_accepted += ended.accepted ? 1 : 0;
    counters_.calls_connected += ended.connected ? 1 : 0;
    spdlog::info(call_line(ended));  // one argument: a text, not a format
    if (hooks_.on_call_over) hooks_.on_call_over(ended.call.text());
    if (hooks_.on_call_ended) hooks_.on_call_ended(ended);
  }

  void carry_out(const call::CallDialled& dialled, call::Outbox&) {
    if (hooks_.on_call_dialled) hooks_.on_call_dialled(dialled);
  }

  void carry_out(const call::CallAnswered& answered, call::Outbox&) {
    if (hooks_.on_call_answered) hooks_.on_call_answered(answered);
  }

  void carry_out(const call::PeerIntroduced& effect, call::Outbox&) {
    if (hooks_.on_peer_introduced)
      hooks_.on_peer_introduced(effect.user, effect.call.text(), effect.peer_address);
  }

  void carry_out(const call::JournalCall& effect, call::Outbox&) {
    journal_.keep(effect.call, io::ControlLoop::now().wall);
  }

  void carry_out(const call::ForgetCall& effect, call::Outbox&) { journal_.forget(effect.call); }

  void carry_out(const call::JournalBlock& effect, call::Outbox&) { journal_.keep(effect.block); }

  void carry_out(const call::ForgetBlock& effect, call::Outbox&) { journal_.forget(effect.block); }

  void carry_out(const call::CredentialsDue& due, call::Outbox& outbox) {
    const auto entry = connections_.find(due.connection);
    if (entry == connections_.end() || !hooks_.credentials_for) return;
    const Connection& connection = entry->second;
    const std::string body = hooks_.credentials_for(due.user, connection.local_address, connection.host);
    carry_out(call::SendFrame{due.connection, signal::credentials_frame(body)}, outbox);
  }

  // Closes a socket that the core does not know, or has forgotten. What it still sends is not heard.
  void close(call::ConnectionId id, std::uint16_t code, std::string_view reason) {
    const auto entry = connections_.find(id);
    if (entry == connections_.end()) return;
    entry->second.socket->close(code, reason);
    hello_deadlines_.cancel(id);
    connections_.erase(entry);
  }

  // Closes a socket that the core may know.
  void drop(call::ConnectionId id, std::uint16_t code, std::string_view reason, Instant now,
            call::Outbox& outbox) {
    connections_.at(id).socket->close(code, reason);
    forget(id, now, outbox);
  }

  void forget(call::ConnectionId id, Instant now, call::Outbox& outbox) {
    hello_deadlines_.cancel(id);
    connections_.erase(id);
    core_.handle_connection_closed(id, now, outbox);
  }

  // A timer that comes too early finds nothing due and is set again, which is cheaper than to set it anew for
  // each frame that moves a deadline.
  void arm_timer() {
    const Instant due = std::min(core_.next_deadline(), hello_deadlines_.next());
    if (due >= armed_for_) return;
    armed_for_ = due;
    timer_.set(due);
  }

  const SignalSettings settings_;
  const SignalHooks hooks_;
  const credentials::TokenVerifier& verifier_;
  CallJournal journal_;
  call::Server core_;
  std::unordered_map<call::ConnectionId, Connection> connections_;
  DeadlineHeap<call::ConnectionId> hello_deadlines_;
  std::uint64_t last_connection_ = 0;
  bool closing_ = false;
  SignalCounters counters_;
  Instant armed_for_ = kNever;  // what the timer is set to
  io::ControlLoop::Timer timer_;
};

SignalService::SignalService(io::ControlLoop& loop, io::HttpServer& server, SignalSettings settings,
                             const credentials::TokenVerifier& verifier, Random& random, SignalHooks hooks)
    : impl_(std::make_shared<Impl>(loop, settings, verifier, random, std::move(hooks))) {
  server.websocket(std::move(settings.path),
                   [weak = std::weak_ptr(impl_)](io::WebSocket& socket, const io::HttpRequest& request) {
                     if (const auto impl = weak.lock()) return impl->open(socket, request);
                     socket.close(call::kCloseGoingAway, "server_shutdown");
                     return io::WebSocketEvents{};
                   });
}

SignalService::~SignalService() { impl_->shutdown(); }

void SignalService::shutdown() { impl_->shutdown(); }

void SignalService::handle_waking(const signal::CallId& call, call::Waking waking) {
  impl_->handle_waking(call, waking);
}

SignalCounters SignalService::counters() const { return impl_->counters(); }

bool SignalService::end_call(const signal::CallId& call) { return impl_->end_call(call); }

call::Placed SignalService::place_call(const std::string& caller, std::string_view callee,
                                       signal::Media media) {
  return impl_->place_call(caller, callee, media);
}

call::Revoked SignalService::end_sessions_of(std::string_view user) { return impl_->end_sessions_of(user); }

std::optional<call::CallRecord> SignalService::record(const signal::CallId& call) const {
  return impl_->core().record(call, io::ControlLoop::now().monotonic);
}

call::CallPage SignalService::page(const call::CallQuery& query) const {
  return impl_->core().page(query, io::ControlLoop::now().monotonic);
}

bool SignalService::block(const std::string& by, const std::string& of) { return impl_->block(by, of); }

void SignalService::unblock(std::string_view by, std::string_view of) { impl_->unblock(by, of); }

call::BlockPage SignalService::blocks(std::string_view user, std::string_view after,
                                      std::size_t limit) const {
  return impl_->core().blocks(user, after, limit);
}

call::Presence SignalService::presence(std::string_view user) const { return impl_->core().presence(user); }

}  // namespace offhook::service
