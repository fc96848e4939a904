#pragma once
// The signalling server as a value machine (docs/protocol.md): frames and times in, effects out. Sans-IO: no
// socket, no clock, no thread. One thread calls it.
//
// The service that owns the sockets
// - parses the first frame of a connection (wire/signal/client_frame.h), verifies the token of its Hello, and
// calls
//   handle_hello(); a connection without a verified hello is never shown to this class;
// - calls handle_frame() for each later frame, and handle_connection_closed() when the socket is gone;
// - calls handle_deadlines() at next_deadline();
// - carries out the effects in order after each call.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "base/warm_path.h"
#include "core/call/effects.h"
#include "core/call/record.h"
#include "core/call/settings.h"
#include "core/call/verified_device.h"
#include "wire/signal/client_frame.h"

namespace offhook::call {

// Close codes of docs/protocol.md that the server uses; the service has 4403 and 4413 besides.
inline constexpr std::uint16_t kCloseGoingAway = 1001;
inline constexpr std::uint16_t kCloseBadMessage = 4400;
inline constexpr std::uint16_t kCloseToken = 4401;
inline constexpr std::uint16_t kCloseTimeout = 4408;
inline constexpr std::uint16_t kCloseReplaced = 4409;
inline constexpr std::uint16_t kCloseOverload = 4429;

class Server {
 public:
  // `random` must outlive the server; it makes session ids and resume tokens, so it must be a cryptographic
  // one.
  Server(const Settings& settings, Random& random);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // At the start, before anything else: what the process before this one has kept of JournalCall. Their sides
  // have session_grace to come back. A call whose time to ring is over is forgotten.
  void restore(const std::vector<WaitingCall>& waiting, Instant now, Outbox& outbox);
  // Likewise, and before that: what it has kept of JournalBlock.
  void restore_blocks(const std::vector<UserBlock>& kept);

  // A connection whose token was verified. Precondition: `connection` is new. Answers with welcome (and what
  // a resumed session has missed), or closes the connection with 4429.
  void handle_hello(ConnectionId connection, const VerifiedDevice& device,
                    const std::optional<signal::Resume>& resume, Instant now, Outbox& outbox);

  // Any frame after hello. A connection that the server does not know (any more) is ignored.
  void handle_frame(ConnectionId connection, Result<signal::ClientFrame, signal::ParseError> frame,
                    Instant now, Outbox& outbox);

  // What became of a CallDialled. While the callee is being woken a call without a device rings until its
  // ring timeout, and else ends as unreachable after a short while.
  void handle_waking(const signal::CallId& call, Waking waking, Instant now, Outbox& outbox);

  void handle_connection_closed(ConnectionId connection, Instant now, Outbox& outbox);
  void handle_deadlines(Instant now, Outbox& outbox);
  Instant next_deadline() const;

  // Ends all calls (server_shutdown) and closes all connections (1001). The server is empty afterwards.
  void shutdown(Instant now, Outbox& outbox);

  // What the app's backend asks for.
  //
  // Ends a live call for both sides; false if none has this id.
  bool handle_end(const signal::CallId& call, Instant now, Outbox& outbox);
  // Asks every device of `caller` to call `callee`; the first that dials with this call id makes the call.
  // If one of the two has blocked the other, nobody is asked. Preconditions: both are users, and not the
  // same.
  Placed handle_place(const std::string& caller, std::string_view callee, signal::Media media, Instant now,
                      Outbox& outbox);
  // Ends all calls of the user (credentials), and closes all sessions with 4401. Whether a token opens a new
  // one is decided where tokens are verified.
  Revoked handle_revoke(std::string_view user, Instant now, Outbox& outbox);
  // `by` wants no calls with `of`: those between the two that nobody has accepted end, and new ones end at
  // once. False if there is no room for one more block (Settings::max_blocks_per_user, max_blocks).
  // Preconditions: both are users, and not the same.
  bool handle_block(const std::string& by, const std::string& of, Instant now, Outbox& outbox);
  // Takes it back; without such a block nothing happens.
  void handle_unblock(std::string_view by, std::string_view of, Instant now, Outbox& outbox);
  // The first `limit` users after `after` whom the user has blocked.
  BlockPage blocks(std::string_view user, std::string_view after, std::size_t limit) const;
  // A call that lives, or one that is over and remembered (Settings::max_records).
  std::optional<CallRecord> record(const signal::CallId& call, Instant now) const;
  CallPage page(const CallQuery& query, Instant now) const;
  Presence presence(std::string_view user) const;

  // The user's session that `connection` carries, for logs and for pushing credentials; nullopt if unknown.
  std::optional<std::string> session_of(ConnectionId connection) const;

  struct Counts {
    std::size_t connections = 0;
    std::size_t sessions = 0;
    std::size_t calls = 0;
  };
  Counts counts() const;

  // What is wrong with the tables, for tests and fuzzers; nullopt if they agree with each other.
  std::optional<std::string> broken_invariant() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace offhook::call
