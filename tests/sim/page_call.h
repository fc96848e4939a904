#pragma once
// One call on one page, as the SDK's Call and Links are: who speaks when, and what is negotiated. ICE and
// media are a question to the world: is there a path between the two ends?

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "dice.h"
#include "judge.h"
#include "messages.h"
#include "stage.h"

namespace offhook::sim {

class PageCall;

// What a call asks of its page and of the world beyond it.
class CallPlace {
 public:
  virtual ~CallPlace() = default;
  virtual void send(ClientMessage message) = 0;
  virtual bool is_online() const = 0;
  virtual bool is_well() const = 0;
  virtual std::string label() const = 0;
  virtual std::string new_ufrag(PageCall& call) = 0;
  virtual void drop_ufrag(const std::string& ufrag) = 0;
  virtual std::optional<Address> relayed_address() const = 0;
  virtual std::string host_address() const = 0;
  virtual bool may_warm() const = 0;
  // Whether packets pass between the connection that we call `own` and the one that the other calls `other`.
  virtual bool has_path(const PageCall& call) = 0;
  // What our device accepts over the path, told to the other end.
  virtual void say_over_path(const PageCall& call) = 0;
  virtual void handle_candidate(const std::string& candidate) = 0;
  virtual void handle_ended(PageCall& call) = 0;
  virtual void handle_answered(PageCall& call) = 0;
  virtual void handle_state() = 0;
  virtual void look_at(PageCall& call) = 0;
  virtual std::uint64_t dice() = 0;
};

// One peer connection.
struct Link {
  bool offers = false;
  std::string ufrag;        // ours, of the newest description that we made
  std::string other_ufrag;  // theirs, of the newest that counts
  std::int64_t local_offer = -1;
  bool awaits_answer = false;
  bool offer_is_fresh = false;    // the one that awaits its answer
  std::int64_t fresh_offer = -1;  // the one that this connection began with, if it was fresh
  bool has_other = false;         // one that had a path, and answers for it until this one has an answer
  std::int64_t described = -1;    // the generation of which both descriptions are there
  bool is_met = false;
  bool was_up = false;
  bool was_ever_up = false;
};

// What we have said of where we are in one generation, to hold the other side's view against it.
struct Told {
  std::int64_t generation = -1;
  std::string ufrag;
  std::vector<std::string> names;  // foundations of its candidates, in their order; "" for the end
  std::uint64_t made = 0;          // a number that rises with what is said
  std::uint64_t ended = 0;         // the same, of the end of candidates
};

class PageCall {
 public:
  // As `dial`, `accept` and `take` say it here.
  static constexpr signal::MediaState kFirstState = {{true, true}, false, false};

  enum class State : std::uint8_t { dialing, ringing, connecting, connected, ended };

  PageCall(Stage& stage, Judge& judge, CallPlace& place, std::string id, std::string peer, bool is_outgoing,
           WarmPath warm_path, const Entry* script);

  void start();
  void ring(std::uint64_t age_ms, Duration ring_timeout);
  // The person hears of it, on device `number` of `count`.
  void show(std::size_t number, std::size_t count);
  void warm_up();
  void accept();
  void reject(const char* reason);
  void end();
  void hang_up(const char* reason);
  // Both have dialled each other, and `incoming` goes on: this one becomes it.
  void become(const ServerMessage& incoming);
  void handle_message(const ServerMessage& message, const ClientMessage* refused);
  void handle_word();  // an accept, over the path
  // The session is another one, and whoever passed on what was said may know nothing of this call: it is told
  // of, and goes on.
  void tell();
  // What this device knows of the call, also after its end.
  ClientMessage snapshot() const;
  void lose_session();
  void handle_long_offline();
  void restart_ice();
  void take_fresh_path();
  void handle_relay();
  void burst(std::size_t count);
  // Another device of our user has the call, and is asked for it.
  void take();
  void change(const signal::MediaState& state);

  const std::string& id() const { return id_; }
  const std::string& peer() const { return peer_; }
  State state() const { return state_; }
  bool is_outgoing() const { return is_outgoing_; }
  bool is_over() const { return state_ == State::ended; }
  bool is_answered() const { return state_ == State::connecting || state_ == State::connected; }
  bool is_unanswered() const { return state_ == State::dialing || state_ == State::ringing; }
  bool is_warming() const { return !is_outgoing_ && state_ == State::ringing && link_.has_value(); }
  const Entry* script() const { return script_; }
  const std::optional<Link>& link() const { return link_; }
  const std::vector<std::string>& others() const { return other_candidates_; }
  const std::vector<Told>& told() const { return told_; }
  // Foundations of the candidates of this generation that have come, in their order; "" for the end.
  std::vector<std::string> heard(std::int64_t generation) const;
  bool is_telling() const { return !trickles_.empty(); }
  Instant changed_at() const { return changed_at_; }
  const signal::MediaState& own_state() const { return own_; }
  // What the other side sends, as far as it has said.
  const signal::MediaState& heard_state() const { return heard_state_; }
  // Of generations up to this one something may have been lost with a session.
  std::int64_t gap() const { return gap_; }

 private:
  // Candidates on their way to the server, one after the other.
  struct Trickle {
    Trickle(Timetable& timetable, std::int64_t of, std::string named)
        : generation(of), ufrag(std::move(named)), timer(timetable) {}
    std::int64_t generation;
    std::string ufrag;
    std::vector<std::string> candidates;
    std::size_t next = 0;
    Timer timer;
  };
  struct HeardCandidate {
    std::int64_t generation = -1;
    std::string name;
  };

  void open_link(bool offers, bool fresh);
  void make_offer(bool fresh);
  void answer_offer(const ServerMessage& offer);
  void begin_fresh_again();
  void handle_offer(const ServerMessage& message);
  void take_offer(const ServerMessage& message);
  void handle_answer(const ServerMessage& message);
  void handle_candidate(const ServerMessage& message);
  void handle_accepted(bool fresh);
  void handle_restored(std::int64_t generation);
  void handle_taken(const ServerMessage& message);
  void announce();
  void tell_state_again();
  void expect_first_state();
  void handle_answered();
  void handle_error(const ServerMessage& message, const ClientMessage* refused);
  void handle_refused_offer(const ClientMessage& offer, bool stale);
  void describe(std::int64_t generation, bool is_offer, bool fresh);
  std::string candidate(const char* type, const std::string& address);
  std::vector<std::string> gather();
  void tell(std::int64_t generation, const std::string& ufrag, std::vector<std::string> candidates);
  void tell_next(Trickle& trickle);
  void limit_ringing(Duration left);
  void give_up_ringing(bool is_dialling, std::string_view reason);
  void hang_up(std::string_view said, std::string_view reason);
  void react(Duration wait, void (PageCall::*reaction)());
  void decline();
  void be_busy();
  void lack_media();
  void give_up();
  void end_talk();
  void poll();
  void handle_up();
  void handle_down();
  void require_unharmed(std::string_view reason) const;
  // `reason`: why, as this device knows it.
  void finish(std::string_view reason);
  void set_state(State state);

  Stage& stage_;
  Judge& judge_;
  CallPlace& place_;
  Dice dice_;
  std::string id_;
  const std::string peer_;
  const bool is_outgoing_;
  bool is_calling_;
  WarmPath warm_path_;
  const Entry* script_;
  State state_;
  std::optional<Link> link_;
  std::int64_t newest_ = -1;
  std::vector<ServerMessage> early_;  // before there is a link
  std::vector<std::string> other_candidates_;
  std::vector<HeardCandidate> heard_;
  std::vector<Told> told_;
  std::list<Trickle> trickles_;
  std::uint64_t spoken_ = 0;
  std::size_t fresh_again_ = 0;
  bool has_reported_ = false;
  bool was_answered_ = false;
  std::string end_reason_;
  Instant began_{};
  std::int64_t gap_ = -1;
  // What we send, what the other side was told of it, and what it sends; nothing is told before the answer.
  signal::MediaState own_ = kFirstState;
  std::optional<signal::MediaState> said_;
  bool has_told_state_ = false;
  bool is_state_lost_ = false;  // with the session, until the server knows the call again
  signal::MediaState heard_state_ = kFirstState;
  Instant down_since_{};
  Instant changed_at_{};
  Timer dial_timer_;
  Timer ring_timer_;
  Timer poll_timer_;
  Timer script_timer_;
};

}  // namespace offhook::sim
