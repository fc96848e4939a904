#pragma once
// Sessions: numbers, acknowledgements, replay (docs/protocol.md, "Session and connection", "Numbers and
// acknowledgement"). Knows nothing of what the messages mean.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/redact.h"
#include "base/slab.h"
#include "base/warm_path.h"
#include "core/call/effects.h"
#include "core/call/keys.h"
#include "core/call/settings.h"
#include "core/call/verified_device.h"
#include "wire/signal/client_frame.h"
#include "wire/signal/server_frame.h"

namespace offhook::call {

// A message that the client has not acknowledged.
struct Queued {
  std::uint64_t seq = 0;
  signal::Body body;
  std::optional<Instant> began;  // an age is told as of the moment of sending
};

struct Session {
  SessionKey key;
  std::string id;  // "s_…", the client knows it
  Secret resume_token;
  std::string user;
  WarmPath warm_path = WarmPath::relay;  // as of the last hello
  std::optional<Ip> seen_at;             // likewise
  std::optional<ConnectionId> connection;
  std::uint64_t attempt = 0;  // the highest of its resumes
  bool holds_place = false;   // nobody's device: it stands for one that is on its way
  Instant detached_at;        // while there is no connection
  Instant heard_at;           // while there is one
  Instant credentials_at;     // when credentials were last pushed on this connection

  std::uint64_t processed = 0;                      // the last number of the client that was processed
  std::map<std::uint64_t, signal::Numbered> early;  // by number
  std::size_t early_bytes = 0;
  std::size_t unacknowledged = 0;  // messages since the last acknowledgement that went out

  std::uint64_t last_sent = 0;
  std::deque<Queued> queue;
  std::size_t queued_bytes = 0;
  bool closing = false;  // takes nothing more, and is gone at the end of this step

  // Kept by Calls: live calls that this session dialled, live calls that it rings for or has accepted, and
  // the last calls that are over for it, so that a message that crossed `ended` is told from one about no
  // call at all.
  std::vector<CallKey> dialled;
  std::vector<CallKey> incoming;
  std::deque<signal::CallId> recently_ended;
};

class Sessions {
 public:
  // All borrowed; they must outlive this.
  Sessions(const Settings& settings, Random& random, Deadlines& deadlines);

  Session* find(SessionKey key) { return sessions_.find(key.slot); }
  Session* find(ConnectionId connection);
  const Session* find(ConnectionId connection) const;
  // The session that this resume names, if it is `user`'s and the token is right.
  Session* find(const signal::Resume& resume, std::string_view user);
  // In the order in which they were opened.
  const std::vector<SessionKey>& of_user(std::string_view user) const;
  std::size_t size() const { return sessions_.size(); }
  std::size_t connections() const { return key_by_connection_.size(); }
  template <typename Visit>
  void for_each(Visit visit) {
    sessions_.for_each([&visit](SlabId, Session& session) { visit(session); });
  }

  // True if this resume was said before one that the session has heard, or before an acknowledgement that it
  // has: it comes late, over a connection that its client has given up.
  static bool is_late(const Session& session, const signal::Resume& resume);
  // True if `ack` is of what was sent. Everything above it can be sent again unless the resume is late.
  static bool can_replay(const Session& session, std::uint64_t ack);

  Session& open(std::string_view user);
  // A session without a connection, which nobody can resume: it holds the place of one that is on its way.
  Session& open_detached(std::string_view user, Instant now);
  // Gives the session this connection and sends welcome, then credentials. A connection that it has is closed
  // with 4409.
  void attach(Session& session, ConnectionId connection, const VerifiedDevice& device, bool resumed,
              const Step& step);
  // Sends again what the client has not acknowledged.
  void replay(Session& session, const Step& step);
  // The connection is gone; the session waits for the next one.
  void detach(Session& session, Instant now);
  // Closes the connection if there is one, and forgets the session.
  void close(SessionKey key, std::uint16_t code, std::string_view reason, const Step& step);

  // Numbers the message, keeps it until it is acknowledged, and sends it if there is a connection. A session
  // whose queue is full is marked and named by take_overflowed(). Nothing happens if the session is gone.
  void send(SessionKey key, signal::Body body, std::optional<Instant> began, const Step& step);
  // Whether all of these may go to a session that only rings for their call: what it waits for then still
  // leaves half of its queue free, in messages and in bytes. Precondition: the session exists.
  bool has_room_to_ring(SessionKey key, const std::vector<signal::Body>& bodies);
  // The `ended` of a call that the session only rang for: it goes out however full the queue is, since a call
  // that it did not choose must not end the session. Bounded, for each goes with an `incoming` that had room:
  // a full queue grows by max_incoming_calls_per_session of them at most.
  void send_end_of_ring(SessionKey key, signal::Body body, const Step& step);
  std::vector<SessionKey> take_overflowed();

  // Fresh TURN credentials, if the session has a connection; the next one brings them else.
  void push_credentials(SessionKey key, const Step& step);
  // The same where others decide how often: not again for those of the same second.
  void push_credentials_if_old(SessionKey key, const Step& step);

  // Something was heard from the client.
  static void heard(Session& session, Instant now) { session.heard_at = now; }
  // When its deadline has come: whether nothing has been heard for too long. If something has, it has a new
  // one; that is cheaper than to move it with each frame.
  bool is_silent(Session& session, Instant now);
  // False if the client acknowledges what was never sent.
  bool acknowledge(Session& session, std::uint64_t ack);

  enum class Arrival { next, repeated, early, too_early };
  // Where a numbered message stands. One that is `early` has been kept; `next` has been counted as processed.
  Arrival arrive(Session& session, signal::Numbered& numbered, Instant now);
  // The message that has become next, if it was kept; it has been counted as processed.
  std::optional<signal::NumberedMessage> take_early(Session& session, Instant now);
  // Sends the acknowledgement now if enough messages wait for one.
  void acknowledge_if_many(Session& session, const Step& step);
  void send_ack(Session& session, const Step& step);

  // A name that nobody guesses: 128 bits in base64url.
  std::string random_text();

  std::optional<std::string> broken_invariant();
  // How many deadlines of sessions there ought to be.
  std::size_t deadlines_due();

 private:
  void want_ack(Session& session, Instant now);
  void acknowledged_now(Session& session);
  void enqueue(Session& session, signal::Body body, std::optional<Instant> began, const Step& step);
  void send_queued(Session& session, const Queued& queued, const Step& step);

  const Settings& settings_;
  Random& random_;
  Deadlines& deadlines_;
  Slab<Session> sessions_;
  std::unordered_map<std::string, SessionKey> key_by_id_;
  std::unordered_map<ConnectionId, SessionKey> key_by_connection_;
  std::map<std::string, std::vector<SessionKey>, std::less<>> keys_by_user_;
  std::vector<SessionKey> overflowed_;
};

}  // namespace offhook::call
