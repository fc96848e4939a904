#pragma once
// What docs/protocol.md says about sessions, kept beside the real server: which hello resumes, which begins
// anew, which is refused; that numbers go out in order, each with one and the same message, that what was not
// acknowledged comes again, and that nothing is acknowledged which has not come.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/call/effects.h"
#include "core/call/settings.h"
#include "stage.h"
#include "wire/signal/client_frame.h"

namespace offhook::sim {

// A numbered frame or one with an acknowledgement, taken apart as far as the ledger looks into it.
struct FrameHead {
  std::optional<std::uint64_t> seq;
  std::optional<std::uint64_t> ack;
  std::string_view body;  // behind seq, ack and age_ms
};
FrameHead head_of(std::string_view frame);

class SessionLedger {
 public:
  // `handle_over` is told of each session that is over.
  SessionLedger(Stage& stage, const call::Settings& settings,
                std::function<void(const std::string&)> handle_over)
      : stage_(stage), settings_(settings), handle_over_(std::move(handle_over)) {}

  // Before the server hears it.
  void expect_hello(call::ConnectionId connection, std::string_view user,
                    const std::optional<signal::Resume>& resume);
  // After the effects of the hello.
  void close_hello();
  // The last hello.
  bool was_resumed() const { return was_resumed_; }

  // A frame of the client on its way into the server. True if it brings the next message.
  bool hear(call::ConnectionId connection, const signal::ClientFrame& frame);
  void lose(call::ConnectionId connection);
  void run_deadlines();
  // The server holds the place of a caller who is not back yet in a call of before its start.
  void add_stand_in(const std::string& user, const std::string& call);
  // All sessions of this user end; of those that nobody is connected to nothing is said. How many there are.
  std::size_t revoke(const std::string& user);
  // The server shuts down: sessions that nobody is connected to go without a word.
  void forget_detached();

  // True if it is a message that goes out for the first time.
  bool emit(call::ConnectionId connection, std::string_view frame);
  void close(call::ConnectionId connection, std::uint16_t code, std::string_view reason);

  // What the server says that it has. With small queues a session may end that nobody is connected to.
  void compare(std::size_t sessions);

  std::size_t devices_of(std::string_view user) const;
  // With the places that are held.
  std::size_t sessions_of(std::string_view user) const;
  std::optional<std::string> session_of(call::ConnectionId connection) const;

 private:
  struct Session {
    std::string user;
    std::string resume_token;
    std::optional<call::ConnectionId> connection;
    Instant detached_at{};
    bool may_be_over = false;  // the server had a reason to end it that shows nowhere
    std::uint64_t attempt = 0;
    std::uint64_t acknowledged = 0;  // by the client
    std::uint64_t processed = 0;
    std::uint64_t due = 1;            // the number that comes next on this connection
    std::vector<std::size_t> hashes;  // of the messages, by number
  };
  struct StandIn {
    std::string user;
    Instant until{};
    bool may_be_over = false;
  };
  enum class Outcome : std::uint8_t { opened, resumed, refused, full };
  struct Hello {
    call::ConnectionId connection{};
    std::string user;
    std::optional<signal::Resume> resume;
    std::vector<Outcome> allowed;
    bool was_answered = false;
  };

  std::vector<Outcome> outcomes(const std::optional<signal::Resume>& resume, std::string_view user);
  void welcome(std::string_view frame);
  void resume_session(const std::string& id, std::uint64_t ack);
  void take(Outcome outcome);
  bool enter(Session& session, std::uint64_t seq, std::string_view body);
  void end(const std::string& id);
  bool is_crowded(std::string_view user) const;
  std::string text_of(Outcome outcome) const;

  Stage& stage_;
  const call::Settings& settings_;
  std::function<void(const std::string&)> handle_over_;
  std::map<std::string, Session, std::less<>> sessions_;
  std::map<call::ConnectionId, std::string> session_by_connection_;
  std::map<std::string, StandIn> stand_ins_;  // by call
  std::optional<Hello> hello_;
  bool was_resumed_ = false;
  bool is_replaying_ = false;  // what goes out now was made before
};

}  // namespace offhook::sim
