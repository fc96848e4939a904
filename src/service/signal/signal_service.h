#pragma once
// Signalling (docs/protocol.md): binds the call core to WebSockets. Everything runs on the control thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"
#include "base/warm_path.h"
#include "core/call/server.h"
#include "core/call/settings.h"
#include "core/credentials/token_verifier.h"
#include "io/http/control_loop.h"
#include "io/http/http_server.h"

namespace offhook::service {

struct SignalSettings {
  call::Settings call;
  std::string path = "/ws";
  // Of users whose token says nothing about it.
  WarmPath warm_path = WarmPath::relay;
  // Calls that ring, and blocks, are kept here for the process after this one; empty: nowhere.
  std::string journal_file;
  Duration hello_timeout = std::chrono::seconds(10);
  // Frames of one connection. A call's start is about a hundred frames (candidates and acknowledgements) at
  // once; a client that sends more for longer is broken, or wants us to be busy. Beyond it: closed with 4429.
  // The burst holds what a resume may bring at once: all messages that were not acknowledged (512 at most),
  // acknowledgements for as many of ours, and the call that goes on.
  std::uint32_t frames_per_second = 200;
  std::uint32_t frames_burst = 1024;
};

struct SignalCounters {
  std::uint64_t connections_opened = 0;
  std::uint64_t tokens_refused = 0;
  std::uint64_t hello_timeouts = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t frames_sent = 0;
  std::uint64_t connections_rate_limited = 0;
  std::uint64_t connections_too_slow = 0;  // their outbound queue overflowed
  std::uint64_t calls_ended = 0;
  std::uint64_t calls_accepted = 0;   // of those that ended
  std::uint64_t calls_connected = 0;  // of those that ended
  call::Server::Counts live;
};

// What other services do for this one, called on the control thread. Any of them may be empty.
struct SignalHooks {
  // The body of GET /api/turn/credentials for this user, whose WebSocket reached `local_address` by this
  // `host` header.
  std::function<std::string(std::string_view user, const Address& local_address, std::string_view host)>
      credentials_for;
  // In this call, `user` has been told that the other party is at this address; until on_call_over.
  std::function<void(const std::string& user, const std::string& call, const Address& peer_address)>
      on_peer_introduced;
  std::function<void(const std::string& call)> on_call_over;
  // For whoever wakes devices and keeps records; what comes of a dial returns by handle_waking().
  std::function<void(const call::CallDialled&)> on_call_dialled;
  std::function<void(const call::CallAnswered&)> on_call_answered;
  std::function<void(const call::CallEnded&)> on_call_ended;
};

class SignalService {
 public:
  // All of them must outlive the service, but for `server`, which may go first. `random` must be a
  // cryptographic one.
  SignalService(io::ControlLoop& loop, io::HttpServer& server, SignalSettings settings,
                const credentials::TokenVerifier& verifier, Random& random, SignalHooks hooks);
  // As shutdown().
  ~SignalService();
  SignalService(const SignalService&) = delete;
  SignalService& operator=(const SignalService&) = delete;

  // Ends all calls (server_shutdown), closes all connections with 1001, and every new one too. The sockets
  // are gone a close_timeout later at the latest.
  void shutdown();

  // Whether a callee without a session may still come; also from within on_call_dialled.
  void handle_waking(const signal::CallId& call, call::Waking waking);

  SignalCounters counters() const;

  // What the app's backend asks for, as in core/call/server.h. On the control thread.
  bool end_call(const signal::CallId& call);
  call::Placed place_call(const std::string& caller, std::string_view callee, signal::Media media);
  call::Revoked end_sessions_of(std::string_view user);
  std::optional<call::CallRecord> record(const signal::CallId& call) const;
  call::CallPage page(const call::CallQuery& query) const;
  call::Presence presence(std::string_view user) const;
  bool block(const std::string& by, const std::string& of);
  void unblock(std::string_view by, std::string_view of);
  call::BlockPage blocks(std::string_view user, std::string_view after, std::size_t limit) const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace offhook::service
