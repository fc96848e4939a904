#pragma once
// What docs/protocol.md says about calls, kept beside the real server: who is in a call, why it may end, what
// each side may be told and when. Clients and the server's host report what happens; the judge objects.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/call/effects.h"
#include "core/call/settings.h"
#include "messages.h"
#include "stage.h"
#include "wire/signal/client_frame.h"

namespace offhook::sim {

// What one session of a device has said and heard of a call.
struct View {
  bool is_caller = false;
  bool rang = false;  // it has heard `incoming`
  WarmPath warm_path = WarmPath::off;
  bool said_accept = false;
  bool heard_accepted = false;
  bool was_refused = false;  // its dial
  bool was_told_where = false;
  bool said_take = false;
  bool was_asked = false;                // by the app, to make this call
  std::optional<Telling> telling;        // by a snapshot
  bool may_be_with_old_session = false;  // that this client has given up, and the server has not
  bool has_met_winner = false;
  std::optional<std::string> told;   // the reason of `ended`
  std::int64_t newest = -1;          // generation of the newest description that came
  std::set<std::string> candidates;  // that came: generation and text

  void tell(const Telling& known) {
    telling = known;
    is_caller = known.is_caller;
    said_accept |= !known.is_caller && known.was_answered;
  }
  // Once: it has talked before the session that it has now.
  bool meets_winner() {
    return telling && telling->was_answered && !telling->is_over && !std::exchange(has_met_winner, true);
  }
  // Whoever has a part in a call is to hear of its end.
  bool took_part() const {
    if (telling) return !telling->is_over && !was_refused;
    return rang || (is_caller && !was_refused);
  }
};

// What the server was given in the step that is being judged.
struct StepInput {
  enum class Kind : std::uint8_t {
    hello,
    frame,
    closed,
    deadlines,
    shutdown,
    restore,
    end_call,
    revoke,
    place,
    waking
  };
  Kind kind = Kind::hello;
  const signal::NumberedMessage* message = nullptr;  // the one that was processed
  std::string session;
  std::size_t sessions_before = 0;
  std::string subject{};  // the call or the user that the app's backend has named
};

class Judge {
 public:
  Judge(Stage& stage, const call::Settings& settings) : stage_(stage), settings_(settings) {}

  // ---- clients
  void dialled(const std::string& call, std::size_t device, std::size_t to, const Entry* script);
  // The app asks for a call that a device of `caller` is to make.
  void place(const std::string& call, const std::string& caller, const std::string& callee);
  const Entry* script_of(const std::string& call) const;
  std::size_t caller_of(const std::string& call) const;
  // A message for the app, in its order; `view` is that of this session.
  void hear(const std::string& session, std::size_t device, View& view, const ServerMessage& message,
            const std::string& text_label);
  // A page whose person talks in the call, or would, as far as it knows; until it says that it is over.
  void hold(const std::string& call, bool as_caller, const std::string& page);
  void let_go(const std::string& call, bool as_caller, const std::string& page);
  bool is_held(const std::string& call, bool as_caller) const;
  // The client ends a call by its own clock, because nobody else does. `is_well`: its socket works.
  void gives_up_waiting(const std::string& call, bool is_well, const std::string& who);

  // ---- the server's host
  // The server has given the call to this session, which has asked for it.
  void take(const std::string& session, std::string_view user, const std::string& call);
  // Before the server does; one that is refused comes to refuse() then.
  void process(const std::string& session, std::string_view user, const signal::NumberedMessage& message);
  void refuse(const signal::NumberedMessage& message);
  // The server keeps the call in its journal: it waits for an accept.
  void begin(const call::WaitingCall& made, const StepInput& input);
  void answered(const std::string& call);
  // As long as a device is being woken, the call waits for it.
  void wake(const std::string& call, bool under_way);
  // One of those that live, if there is any.
  std::optional<std::string> live_call(std::uint64_t choice) const;
  std::size_t live_of(std::string_view user) const;
  void end(const call::CallEnded& record, const StepInput& input, std::size_t sessions_after);
  void lose_session(const std::string& session);
  // The age that an `incoming` tells in this moment.
  void check_age(const std::string& call, std::uint64_t age_ms) const;
  // Both sides of the call have told in time that they talk: from now on the server knows it again. Asked
  // before it hears `told`, the second of the two.
  bool goes_on(const std::string& session, const signal::Snapshot& told) const;
  void introduce(const call::PeerIntroduced& introduced, bool is_own_relay);
  void crash(Instant now);

  // Calls to this user (of this one alone, if named) that nobody has accepted; or those of them that have an
  // offer and no answer.
  std::size_t waiting(std::string_view callee, std::string_view caller, bool with_offer) const;

  // Whether this session has said that the call is over for it, or has been told so after it had waited.
  bool has_left(const std::string& call, const std::string& session) const;

  // All is over.
  void check_nothing_left() const;
  std::size_t live() const;
  bool lives(const std::string& call) const { return calls_.at(call).lives; }
  bool was_refused(const std::string& call) const { return calls_.at(call).was_refused; }
  bool was_made(const std::string& call) const { return calls_.at(call).lives || calls_.at(call).record; }

 private:
  // What a session has told of the call, in this life of the server.
  struct Claim {
    Telling telling;
    Instant at{};
    bool is_given_up = false;  // by a hangup or reject
    bool is_gone = false;      // its session is over

    bool talks() const { return telling.was_answered && !telling.is_over && !is_given_up; }
  };
  struct EndTold {
    bool by_caller = false;
    std::string reason;
    Instant at{};
  };
  struct Truth {
    std::size_t caller = 0;  // device
    std::string caller_user;
    std::string callee_user;
    std::string caller_session;
    const Entry* script = nullptr;
    bool may_be_direct = false;  // some pair of devices may know everything before the accept
    bool was_heard = false;      // the dial, by the server, which has taken it
    bool was_refused = false;
    bool is_placed = false;    // the app has asked for it
    bool lives = false;        // the server has it
    bool is_over = false;      // it has ended, at this server or one before
    bool is_restored = false;  // from the time before a crash, or before its session was lost
    Instant restored_at{};
    bool is_accepted = false;
    bool is_being_woken = false;
    bool awaits_accept = false;  // one has come, and counts
    Instant dialled_at{};
    Instant began{};    // as the server knows it
    Instant settled{};  // when it was accepted or over, so that it rings no more
    bool is_settled = false;
    std::set<std::string> accepted_by;  // sessions whose accept the server has heard
    std::set<std::string> left_by;      // sessions whose reject or hangup it has heard
    std::set<std::string> connected_by;
    bool waits_longer = false;
    std::optional<call::CallEnded> record;
    // How it ended at a server before this one, whose last words may still be on their way.
    std::set<std::string> ends_before;
    bool was_lost = false;   // with the server
    bool had_offer = false;  // before the message that is processed
    bool has_offer = false;  // of the caller
    bool has_answer = false;
    std::map<std::string, Claim> claims;  // by session
    std::vector<EndTold> ends_told;       // by snapshots, and by those who wait for the other side
    std::set<std::pair<std::string, Ip>> introduced;
    std::size_t winners = 0;
    std::map<std::string, bool> taken_by;  // sessions, and whether as the caller
    std::set<std::string> callers;         // sessions that have told that they talk as the caller
    std::set<std::pair<bool, std::string>> holders;

    bool has_told_end(bool by_caller) const {
      return std::any_of(ends_told.begin(), ends_told.end(),
                         [by_caller](const EndTold& one) { return one.by_caller == by_caller; });
    }
  };

  Truth& truth(const std::string& call);
  void hear_of_call(const std::string& session, std::size_t device, View& view, const ServerMessage& message,
                    Truth& call, const std::string& label);
  static void hear_taken(const std::string& session, View& view, const ServerMessage& message, Truth& call,
                         const std::string& label);
  void hear_incoming(std::size_t device, View& view, const ServerMessage& message, Truth& call,
                     const std::string& label);
  static void hear_description(View& view, const ServerMessage& message, const std::string& label);
  void hear_candidate(View& view, const ServerMessage& message, const std::string& label);
  void hear_where(View& view, const ServerMessage& message, const Truth& call,
                  const std::string& label) const;
  void hear_end(const std::string& session, View& view, const ServerMessage& message, Truth& call,
                const std::string& label);
  void hear_end_as_callee(const std::string& session, const View& view, const std::string& reason,
                          const Truth& call, const std::string& label) const;
  void hear_error(View& view, const ServerMessage& message, Truth& call, const std::string& label) const;
  bool is_explained(const call::CallEnded& record, const Truth& call, const StepInput& input,
                    std::size_t sessions_after) const;

  // Of calls that outlive the server (judge_restart.cc).
  void tell(const std::string& session, std::string_view user, Truth& call, const signal::Snapshot& told);
  // True if the session waits for the other side, so that its word is about what it has told.
  bool speak_of_claim(const std::string& session, Truth& call, const signal::NumberedMessage& message) const;
  void check_birth(const call::WaitingCall& made, const Truth& call, const StepInput& input) const;
  bool is_claim_alive(const Claim& claim) const;
  // Whether the call ends as one device leaves it, and others may still be on their way.
  bool speaks_for_others(const call::CallEnded& record, const Truth& call, const StepInput& input) const;
  bool is_told(const std::string& reason, const Truth& call) const;
  bool is_end_of_claim(const call::CallEnded& record, const Truth& call, const StepInput& input,
                       bool loses_session) const;
  bool may_hear_end_of_claim(const std::string& session, const View& view, const std::string& reason,
                             const Truth& call) const;

  Stage& stage_;
  const call::Settings& settings_;
  std::map<std::string, Truth> calls_;
  Instant crashed_at_{};
};

}  // namespace offhook::sim
