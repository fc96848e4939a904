#pragma once
// What docs/protocol.md says about calls, kept beside the real server: who is in a call, why it may end, what
// each side may be told and when. Clients and the server's host report what happens; the judge objects.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

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
  std::optional<std::string> told;   // the reason of `ended`
  std::int64_t newest = -1;          // generation of the newest description that came
  std::set<std::string> candidates;  // that came: generation and text
};

// What the server was given in the step that is being judged.
struct StepInput {
  enum class Kind : std::uint8_t { hello, frame, closed, deadlines, shutdown };
  Kind kind = Kind::hello;
  const signal::NumberedMessage* message = nullptr;  // the one that was processed
  std::string session;
  std::size_t sessions_before = 0;
};

class Judge {
 public:
  Judge(Stage& stage, const call::Settings& settings) : stage_(stage), settings_(settings) {}

  // ---- clients
  void dialled(const std::string& call, std::size_t device, std::size_t to, const Entry* script);
  const Entry* script_of(const std::string& call) const;
  std::size_t caller_of(const std::string& call) const;
  // A message for the app, in its order; `view` is that of this session.
  void hear(const std::string& session, std::size_t device, View& view, const ServerMessage& message,
            const std::string& text_label);
  // The client ends a call by its own clock, because nobody else does. `is_well`: its socket works.
  void gives_up_waiting(const std::string& call, bool is_well, const std::string& who);

  // ---- the server's host
  // Before the server does; one that is refused comes to refuse() then.
  void process(const std::string& session, std::string_view user, const signal::NumberedMessage& message);
  void refuse(const signal::NumberedMessage& message);
  void end(const call::CallEnded& record, const StepInput& input, std::size_t sessions_after);
  void introduce(const call::PeerIntroduced& introduced, bool is_own_relay);
  void crash();

  // Calls to this user (of this one alone, if named) that nobody has accepted; or those of them that have an
  // offer and no answer.
  std::size_t waiting(std::string_view callee, std::string_view caller, bool with_offer) const;

  // All is over.
  void check_nothing_left() const;
  std::size_t live() const;
  bool lives(const std::string& call) const { return calls_.at(call).is_live(); }

 private:
  struct Truth {
    std::size_t caller = 0;  // device
    std::string caller_user;
    std::string callee_user;
    std::string caller_session;
    const Entry* script = nullptr;
    bool may_be_direct = false;  // some pair of devices may know everything before the accept
    bool was_heard = false;      // the dial, by the server, which has taken it
    bool was_refused = false;
    Instant dialled_at{};
    Instant heard_at{};
    std::set<std::string> accepted_by;  // sessions whose accept the server has heard
    std::set<std::string> left_by;      // sessions whose reject or hangup it has heard
    std::set<std::string> connected_by;
    bool waits_longer = false;
    std::optional<call::CallEnded> record;
    bool was_lost = false;   // with the server
    bool has_offer = false;  // of the caller
    bool has_answer = false;
    std::set<std::pair<std::string, Ip>> introduced;
    std::size_t winners = 0;

    bool is_live() const { return was_heard && !was_refused && !record && !was_lost; }
  };

  Truth& truth(const std::string& call);
  void hear_of_call(const std::string& session, std::size_t device, View& view, const ServerMessage& message,
                    Truth& call, const std::string& label);
  void hear_incoming(std::size_t device, View& view, const ServerMessage& message, Truth& call,
                     const std::string& label);
  static void hear_description(View& view, const ServerMessage& message, const std::string& label);
  void hear_candidate(View& view, const ServerMessage& message, const std::string& label);
  void hear_where(View& view, const ServerMessage& message, const Truth& call,
                  const std::string& label) const;
  void hear_end(const std::string& session, View& view, const ServerMessage& message, Truth& call,
                const std::string& label);
  void hear_end_as_callee(const std::string& session, const View& view, const std::string& reason,
                          Truth& call, const std::string& label) const;
  void hear_error(View& view, const ServerMessage& message, Truth& call, const std::string& label) const;
  bool is_explained(const call::CallEnded& record, const Truth& call, const StepInput& input,
                    std::size_t sessions_after) const;

  Stage& stage_;
  const call::Settings& settings_;
  std::map<std::string, Truth> calls_;
};

}  // namespace offhook::sim
