#include "page_call.h"

#include <algorithm>
#include <array>
#include <utility>

namespace offhook::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The SDK's policy.
constexpr Duration kDialTimeout = seconds(20);
constexpr Duration kRingGrace = seconds(5);
constexpr Duration kGiveUp = seconds(30);
constexpr Duration kPoll = milliseconds(250);
// A path that stands is looked at less often: nothing but a fault changes it.
constexpr Duration kWatch = seconds(20);
constexpr Duration kRestartWait = seconds(3);
constexpr Duration kCalleePatience = milliseconds(400);
// Errors after which a call is nothing to the server.
constexpr std::array<std::string_view, 5> kFatal = {"unknown_call", "not_in_call", "bad_call_id",
                                                    "too_many_calls", "too_many_dials"};

}  // namespace

PageCall::PageCall(Stage& stage, Judge& judge, CallPlace& place, std::string id, std::string peer,
                   bool is_outgoing, WarmPath warm_path, const Entry* script)
    : stage_(stage),
      judge_(judge),
      place_(place),
      dice_(place.dice()),
      id_(std::move(id)),
      peer_(std::move(peer)),
      is_outgoing_(is_outgoing),
      is_calling_(is_outgoing),
      warm_path_(warm_path),
      script_(script),
      state_(is_outgoing ? State::dialing : State::ringing),
      began_(stage.now()),
      dial_timer_(stage.timetable),
      ring_timer_(stage.timetable),
      poll_timer_(stage.timetable),
      script_timer_(stage.timetable) {}

void PageCall::start() {
  place_.send(dial_message(id_, peer_));
  open_link(true, false);
  dial_timer_.set(kDialTimeout, [this] { give_up_ringing(true, "signaling_lost"); });
  if (script_ == nullptr) return;
  if (script_->reaction == Reaction::give_up) react(script_->wait, &PageCall::give_up);
  // Just as the other side accepts.
  if (script_->reaction == Reaction::hang_up) {
    react(script_->wait + dice_.between(milliseconds(0), milliseconds(900)), &PageCall::give_up);
  }
}

void PageCall::ring(std::uint64_t age_ms, Duration ring_timeout) {
  began_ = stage_.now() - milliseconds(age_ms);
  place_.send(plain_message(Kind::ringing, id_));
  limit_ringing(std::max(Duration::zero(), ring_timeout - milliseconds(age_ms)));
}

void PageCall::show(std::size_t number, std::size_t count) {
  warm_up();
  if (script_ == nullptr) return;
  const bool is_chosen = script_->answerer % count == number;
  const Duration wait = script_->wait;
  switch (script_->reaction) {
    case Reaction::accept:
    case Reaction::hang_up:
      if (is_chosen) react(wait, &PageCall::accept);
      return;
    case Reaction::accept_on_all:
      return react(wait + dice_.between(milliseconds(0), milliseconds(300)), &PageCall::accept);
    case Reaction::decline:
      if (is_chosen) react(wait, &PageCall::decline);
      return;
    case Reaction::busy:
      return is_chosen ? react(wait, &PageCall::be_busy) : react(2 * wait, &PageCall::accept);
    case Reaction::media_denied:
      return is_chosen ? react(wait, &PageCall::lack_media) : react(2 * wait, &PageCall::accept);
    case Reaction::ignore:
    case Reaction::give_up:
      return;
  }
}

void PageCall::react(Duration wait, void (PageCall::*reaction)()) {
  script_timer_.set(wait, [this, reaction] { (this->*reaction)(); });
}

void PageCall::decline() { reject("declined"); }
void PageCall::be_busy() { reject("busy"); }
void PageCall::lack_media() { reject("media_denied"); }
void PageCall::give_up() {
  if (!is_answered() || (script_ != nullptr && script_->reaction == Reaction::hang_up)) end();
}

void PageCall::end_talk() {
  place_.look_at(*this);
  hang_up("hangup");
}

void PageCall::warm_up() {
  if (state_ != State::ringing || link_ || warm_path_ == WarmPath::off || !place_.may_warm()) return;
  open_link(false, false);
}

void PageCall::accept() {
  if (is_outgoing_ || state_ != State::ringing) return;
  place_.send(plain_message(Kind::accept, id_));
  place_.say_over_path(*this);
  handle_answered();
  announce();
  if (!link_ && !is_over()) open_link(false, false);
}

void PageCall::reject(const char* reason) {
  if (is_outgoing_ || state_ != State::ringing) return;
  place_.send(reason_message(Kind::reject, id_, reason));
  finish(reason);
}

void PageCall::end() {
  if (!is_outgoing_ && state_ == State::ringing) return decline();
  hang_up("hangup", is_answered() ? "hangup" : "canceled");
}

void PageCall::hang_up(const char* reason) { hang_up(reason, reason); }

void PageCall::hang_up(std::string_view said, std::string_view reason) {
  if (is_over()) return;
  place_.send(reason_message(Kind::hangup, id_, said));
  finish(reason);
}

void PageCall::become(const ServerMessage& incoming) {
  stage_.tally.add(Count::glares);
  place_.send(reason_message(Kind::hangup, id_, "hangup"));
  if (link_) place_.drop_ufrag(link_->ufrag);
  link_.reset();
  trickles_.clear();
  early_.clear();
  heard_.clear();
  told_.clear();
  other_candidates_.clear();
  newest_ = gap_ = -1;
  began_ = stage_.now() - milliseconds(incoming.age_ms);
  id_ = incoming.call;
  script_ = judge_.script_of(id_);
  is_calling_ = false;
  place_.send(plain_message(Kind::accept, id_));
  handle_answered();
  announce();
  if (!is_over()) open_link(false, false);
}

void PageCall::handle_message(const ServerMessage& message, const ClientMessage* refused) {
  if (is_over()) return;
  changed_at_ = stage_.now();
  switch (message.said) {
    case Said::incoming:
      // After a restart of the server; here it rings already.
      if (!is_calling_ && state_ == State::ringing) place_.send(plain_message(Kind::ringing, id_));
      return;
    case Said::restored:
      return handle_restored(message.generation);
    case Said::state:
      heard_state_ = *message.state;
      return;
    case Said::taken:
      return handle_taken(message);
    case Said::elsewhere:
    case Said::place:
      return;
    case Said::ringing:
      if (state_ != State::dialing) return;
      limit_ringing(call_settings(stage_.plan).ring_timeout);
      return set_state(State::ringing);
    case Said::accepted:
      return handle_accepted(message.fresh);
    case Said::offer:
      // An accept that was told of counts.
      if (is_state_lost_) tell_state_again();
      return handle_offer(message);
    case Said::answer:
      return handle_answer(message);
    case Said::candidate:
      return handle_candidate(message);
    case Said::ended:
      require_unharmed(message.reason);
      return finish(message.reason);
    case Said::error:
      return handle_error(message, refused);
  }
}

void PageCall::handle_word() {
  if (is_calling_ && !is_over()) handle_accepted(false);
}

void PageCall::handle_accepted(bool fresh) {
  if (!is_calling_) return;
  if (fresh) {
    other_candidates_.clear();
    open_link(true, true);
    down_since_ = stage_.now();
  }
  if (is_over() || (is_answered() && !fresh)) return;
  if (is_answered()) {
    // Another device, which knows of us what the server has told it, and we know of it as much.
    expect_first_state();
  } else {
    handle_answered();
  }
  announce();
}

void PageCall::expect_first_state() {
  said_ = kFirstState;
  heard_state_ = kFirstState;
}

void PageCall::take() {
  state_ = State::connecting;
  place_.send(plain_message(Kind::take, id_));
}

// Of the two sides the caller's makes the new connection.
void PageCall::handle_taken(const ServerMessage& message) {
  stage_.tally.add(Count::takes);
  handle_answered();
  if (is_over()) return;
  announce();
  heard_state_ = *message.state;
  newest_ = message.generation;
  open_link(is_calling_, is_calling_);
}

void PageCall::change(const signal::MediaState& state) {
  if (is_over()) return;
  own_ = state;
  announce();
}

// Whoever passes on what is said knows of nothing but the first, and the other side may believe what it has
// heard before.
void PageCall::tell_state_again() {
  is_state_lost_ = false;
  if (!said_) return;
  said_ = kFirstState;
  if (!has_told_state_) return announce();
  said_ = own_;
  changed_at_ = stage_.now();
  place_.send(state_message(id_, own_));
}

void PageCall::announce() {
  if (is_over() || !said_ || *said_ == own_) return;
  said_ = own_;
  has_told_state_ = true;
  changed_at_ = stage_.now();
  stage_.tally.add(Count::states);
  place_.send(state_message(id_, own_));
}

// The server knows the call again; what was on its way is lost.
void PageCall::handle_restored(std::int64_t generation) {
  newest_ = std::max(newest_, generation);
  tell_state_again();
  if (!link_) return;
  if (link_->awaits_answer && link_->offer_is_fresh) {
    begin_fresh_again();
  } else if (link_->was_ever_up) {
    link_->awaits_answer = false;
  } else if (is_calling_) {
    other_candidates_.clear();
    open_link(true, true);
  }
}

void PageCall::handle_answered() {
  was_answered_ = true;
  expect_first_state();
  judge_.hold(id_, is_calling_, place_.label());
  set_state(State::connecting);
  ring_timer_.cancel();
  dial_timer_.cancel();
  script_timer_.cancel();
  down_since_ = stage_.now();
  if (script_ != nullptr && script_->caller_hangs_up == is_calling_)
    react(script_->talk, &PageCall::end_talk);
  place_.handle_answered(*this);
  poll();
}

// The server ends a call that nobody answers; without it, nobody else would.
void PageCall::limit_ringing(Duration left) {
  ring_timer_.set(left + kRingGrace, [this] {
    if (state_ != State::ringing) return;
    judge_.gives_up_waiting(id_, place_.is_well(), place_.label());
    give_up_ringing(false, "no_answer");
  });
}

// `is_dialling`: only if the server has not answered the dial with anything, and cannot be reached.
void PageCall::give_up_ringing(bool is_dialling, std::string_view reason) {
  if (is_dialling && (state_ != State::dialing || place_.is_online())) {
    if (state_ == State::dialing)
      dial_timer_.set(kDialTimeout, [this] { give_up_ringing(true, "signaling_lost"); });
    return;
  }
  if (is_calling_) return hang_up("hangup", reason);
  place_.send(reason_message(Kind::reject, id_, "busy"));
  finish(reason);
}

ClientMessage PageCall::snapshot() const {
  const bool was_answered = was_answered_ || is_answered();
  const Telling telling{is_calling_, was_answered, has_reported_, is_over()};
  return snapshot_message(id_, peer_, telling, newest_,
                          static_cast<std::uint64_t>(whole_ms(stage_.now() - began_)), end_reason_);
}

void PageCall::tell() {
  gap_ = newest_;
  is_state_lost_ = true;
  place_.send(snapshot());
  if (is_over() || !is_calling_ || is_answered()) return;
  // The path that stood while it rang may have gone with the relay.
  other_candidates_.clear();
  open_link(true, true);
}

void PageCall::lose_session() { finish("signaling_lost"); }

void PageCall::handle_long_offline() {
  if (state_ == State::ringing) give_up_ringing(false, "signaling_lost");
}

void PageCall::handle_error(const ServerMessage& message, const ClientMessage* refused) {
  const bool is_dial = refused != nullptr && (refused->kind == Kind::dial || refused->kind == Kind::take);
  const bool is_fatal = std::find(kFatal.begin(), kFatal.end(), message.reason) != kFatal.end();
  if (is_dial || is_fatal) return finish("error");
  if (refused == nullptr || refused->kind != Kind::offer) return;
  if (refused->generation == 0) return hang_up("error");
  handle_refused_offer(*refused, message.reason == "stale_generation");
}

void PageCall::poll() {
  if (is_over() || !link_) return;
  const bool is_up = link_->described >= 0 && place_.has_path(*this);
  if (is_up && !link_->was_up) handle_up();
  if (!is_up && link_->was_up) handle_down();
  if (is_over() || !link_) return;
  const bool is_lost = is_answered() && !link_->was_up && stage_.now() - down_since_ >= kGiveUp;
  if (is_lost) {
    require(!is_calm(stage_.plan), "calls connect where nothing goes wrong", place_.label() + " " + id_);
    require_unharmed("ice_lost");
    return hang_up(has_reported_ ? "ice_lost" : "ice_failed");
  }
  // An offer without an answer is made again: it may tell of a network that is gone.
  const Duration wait =
      (is_calling_ ? kRestartWait : kRestartWait + kCalleePatience) * (link_->awaits_answer ? 2 : 1);
  const Instant since = std::max(down_since_, changed_at_);
  if (is_answered() && !link_->was_up && stage_.now() - since >= wait) restart_ice();
  if (is_over()) return;
  poll_timer_.set(link_->was_up && has_reported_ ? kWatch : kPoll, [this] { poll(); });
}

void PageCall::handle_up() {
  link_->was_up = link_->was_ever_up = true;
  if (!is_calling_ && is_answered()) place_.say_over_path(*this);
  if (!is_answered() || has_reported_) return;
  has_reported_ = true;
  place_.send(plain_message(Kind::connected, id_));
  set_state(State::connected);
}

void PageCall::handle_down() {
  link_->was_up = false;
  down_since_ = stage_.now();
}

// Where nothing goes wrong but that the server is killed and started again, no two who both want to talk
// lose their call.
void PageCall::require_unharmed(std::string_view reason) const {
  const bool is_lost = reason == "signaling_lost" || reason == "ice_lost" || reason == "ice_failed";
  const bool both_talk = was_answered_ && judge_.is_held(id_, !is_calling_);
  require(!is_lost || !both_talk || !only_crashes(stage_.plan), "a call outlives the server",
          fmt::format("{} {} {}", place_.label(), id_, reason));
}

void PageCall::finish(std::string_view reason) {
  if (is_over()) return;
  end_reason_ = reason;
  judge_.let_go(id_, is_calling_, place_.label());
  dial_timer_.cancel();
  ring_timer_.cancel();
  poll_timer_.cancel();
  script_timer_.cancel();
  trickles_.clear();
  if (link_) place_.drop_ufrag(link_->ufrag);
  link_.reset();
  set_state(State::ended);
  place_.handle_ended(*this);
}

void PageCall::set_state(State state) {
  state_ = state;
  place_.handle_state();
}

}  // namespace offhook::sim
