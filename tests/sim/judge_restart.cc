// What docs/protocol.md says in "After a restart of the server": which calls the server has again, who is
// believed, and what those are told whose calls it has not.

#include <chrono>

#include "journal.h"
#include "judge.h"

namespace offhook::sim {
namespace {

using signal::EndReason;
using signal::Snapshot;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Times by the calendar are whole seconds, twice.
constexpr Duration kCalendar = seconds(2);

bool is_over(const Snapshot& told) { return told.state == Snapshot::State::ended; }
bool talks(const Snapshot& told) {
  return told.state == Snapshot::State::accepted || told.state == Snapshot::State::connected;
}

}  // namespace

void Judge::crash(Instant now) {
  crashed_at_ = now;
  for (auto& [id, call] : calls_) {
    call.claims.clear();
    call.ends_told.clear();
    call.accepted_by.clear();
    call.connected_by.clear();
    call.left_by.clear();
    call.taken_by.clear();
    call.callers.clear();
    call.caller_session.clear();
    call.record.reset();
    call.is_accepted = false;
    if (!call.lives) continue;
    call.lives = false;
    call.was_lost = true;
    stage_.tally.add(Count::lost_in_crash);
    stage_.tally.add(Count::call_s, static_cast<std::uint64_t>(
                                        std::chrono::duration_cast<seconds>(now - call.began).count()));
  }
}

void Judge::lose_session(const std::string& session) {
  for (auto& [id, call] : calls_) {
    const auto claim = call.claims.find(session);
    if (claim != call.claims.end()) claim->second.is_gone = true;
  }
}

void Judge::hold(const std::string& call, bool as_caller, const std::string& page) {
  truth(call).holders.emplace(as_caller, page);
}

void Judge::let_go(const std::string& call, bool as_caller, const std::string& page) {
  truth(call).holders.erase({as_caller, page});
}

bool Judge::is_held(const std::string& call, bool as_caller) const {
  const auto& holders = calls_.at(call).holders;
  return std::any_of(holders.begin(), holders.end(),
                     [as_caller](const auto& holder) { return holder.first == as_caller; });
}

bool Judge::has_left(const std::string& id, const std::string& session) const {
  const Truth& call = calls_.at(id);
  const auto claim = call.claims.find(session);
  const bool has_waited = claim != call.claims.end() && !is_claim_alive(claim->second);
  return call.left_by.contains(session) || has_waited;
}

bool Judge::is_claim_alive(const Claim& claim) const {
  return !claim.is_gone && !claim.is_given_up && claim.at + settings_.session_grace > stage_.now();
}

void Judge::tell(const std::string& session, std::string_view user, Truth& call, const Snapshot& told) {
  const std::string& id = told.call.text();
  require(user == (told.is_caller ? call.caller_user : call.callee_user) &&
              told.peer == (told.is_caller ? call.callee_user : call.caller_user),
          "a snapshot arrives as it was sent", id);
  const bool is_connected = told.state == Snapshot::State::connected;
  const Telling telling{told.is_caller, is_over(told) ? told.was_accepted : talks(told), is_connected,
                        is_over(told)};
  call.claims[session] = {telling, stage_.now()};
  if (told.is_caller) call.caller_session = session;
  if (talks(told)) (told.is_caller ? call.callers : call.accepted_by).insert(session);
  if (is_connected) call.connected_by.insert(session);
  // A device that knows of more offers than the caller takes none of its older ones.
  if (!told.is_caller && told.generation) call.has_answer |= call.lives;
  if (!is_over(told)) return;
  call.left_by.insert(session);
  const bool gave_up = told.is_caller && !told.was_accepted && told.reason == EndReason::hangup;
  call.ends_told.push_back(
      {told.is_caller, std::string(gave_up ? "canceled" : name(told.reason)), stage_.now()});
}

bool Judge::speak_of_claim(const std::string& session, Truth& call,
                           const signal::NumberedMessage& message) const {
  const auto found = call.claims.find(session);
  if (found == call.claims.end() || found->second.telling.is_over) return false;
  // A server that has stood still hears what waited for it before it looks at the time.
  const bool may_live_longer = stage_.now() < stage_.disturbed_until && !found->second.is_given_up;
  if (!may_live_longer && !is_claim_alive(found->second)) return false;
  Claim& claim = found->second;
  std::optional<EndReason> reason;
  if (const auto* hangup = std::get_if<signal::Hangup>(&message)) reason = hangup->reason;
  if (const auto* reject = std::get_if<signal::Reject>(&message)) reason = reject->reason;
  if (reason) {
    const bool is_unanswered = !claim.telling.was_answered && *reason == EndReason::hangup;
    const char* unanswered = claim.telling.is_caller ? "canceled" : "declined";
    call.ends_told.push_back(
        {claim.telling.is_caller, is_unanswered ? unanswered : std::string(name(*reason)), stage_.now()});
    claim.is_given_up = true;
    call.left_by.insert(session);
  }
  if (std::holds_alternative<signal::Accept>(message) && !claim.telling.is_caller) {
    claim.telling.was_answered = true;
    call.accepted_by.insert(session);
    call.awaits_accept |= call.lives && !call.is_accepted && !call.caller_session.empty();
  }
  return !call.lives;
}

// A call that the server has, and that nobody has accepted, has come about in one of these ways.
void Judge::check_birth(const call::WaitingCall& made, const Truth& call, const StepInput& input) const {
  const std::string& id = made.call.text();
  if (input.kind == StepInput::Kind::restore) {
    require(!call.is_settled || call.settled + Journal::kGather >= crashed_at_,
            "what was accepted or over does not ring again", id);
    const Duration age = stage_.now() - call.began;
    require(made.age > age - kCalendar && made.age < age + kCalendar, "a call keeps its age", id);
    return;
  }
  const auto* dial = input.message != nullptr ? std::get_if<signal::Dial>(input.message) : nullptr;
  if (dial != nullptr && dial->call == made.call)
    return require(made.age == Duration::zero(), "a call keeps its age", id);
  const auto talks_as = [&call](bool as_caller) {
    return std::any_of(call.claims.begin(), call.claims.end(), [as_caller](const auto& entry) {
      const Claim& claim = entry.second;
      return claim.talks() && !claim.is_gone && claim.telling.is_caller == as_caller;
    });
  };
  // A device that rings, by what it has told, accepts, and the caller talks.
  const auto* accept = input.message != nullptr ? std::get_if<signal::Accept>(input.message) : nullptr;
  if (accept != nullptr && accept->call == made.call)
    return require(talks_as(true) && talks_as(false), "a call goes on when both sides tell of it", id);
  const auto* told = input.message != nullptr ? std::get_if<Snapshot>(input.message) : nullptr;
  require(told != nullptr && told->call == made.call && !is_over(*told),
          "a call comes about as somebody dials it or tells of it", id);
  if (!talks(*told)) {
    require(told->is_caller, "what a callee tells makes nobody ring", id);
    const Duration age = std::min<Duration>(milliseconds(told->age_ms), settings_.ring_timeout);
    return require(made.age == age, "a call keeps its age", id);
  }
  require(talks_as(!told->is_caller), "a call goes on when both sides tell of it", id);
}

void Judge::check_age(const std::string& id, std::uint64_t age_ms) const {
  const Duration age = stage_.now() - calls_.at(id).began;
  require_or_say(milliseconds(age_ms) <= age && milliseconds(age_ms + 1) > age, "a call keeps its age",
                 [&] { return fmt::format("{} is {} ms old, and not {}", id, whole_ms(age), age_ms); });
}

bool Judge::goes_on(const std::string& session, const Snapshot& told) const {
  const Truth& call = calls_.at(told.call.text());
  const bool is_open =
      !call.is_accepted && !call.record && !call.has_told_end(true) && !call.has_told_end(false);
  if (!is_open || is_over(told) || !(talks(told) || told.is_caller)) return false;
  // It rings first, and there is a limit to that, too.
  const bool is_dial = !talks(told) && !call.lives;
  if (is_dial && waiting(call.callee_user, call.caller_user, false) >= settings_.max_waiting_calls_per_pair)
    return false;
  return std::any_of(call.claims.begin(), call.claims.end(), [&](const auto& entry) {
    const Claim& claim = entry.second;
    const bool is_other = entry.first != session && claim.telling.is_caller != told.is_caller;
    // A caller who has not heard of the accept rings again, and hears of it.
    const bool agrees = claim.talks() || (claim.telling.is_caller && call.lives);
    return is_other && agrees && is_claim_alive(claim);
  });
}

bool Judge::speaks_for_others(const call::CallEnded& record, const Truth& call,
                              const StepInput& input) const {
  const bool may_come = call.is_restored && call.restored_at + settings_.session_grace > stage_.now();
  if (!may_come || record.accepted || input.message == nullptr) return false;
  if (const auto* reject = std::get_if<signal::Reject>(input.message))
    return reject->call == record.call && reject->reason != EndReason::declined;
  const auto* told = std::get_if<Snapshot>(input.message);
  return told != nullptr && told->call == record.call && is_over(*told) && !told->is_caller &&
         !told->was_accepted && told->reason != EndReason::declined;
}

bool Judge::is_told(const std::string& reason, const Truth& call) const {
  return std::any_of(call.ends_told.begin(), call.ends_told.end(),
                     [&reason](const EndTold& one) { return one.reason == reason; });
}

// A call that a server has had from before its start ends for what a side has told, or as one that talks has
// waited for the other in vain.
bool Judge::is_end_of_claim(const call::CallEnded& record, const Truth& call, const StepInput& input,
                            bool loses_session) const {
  const std::string reason(name(record.reason));
  const bool is_elsewhere =
      record.reason == EndReason::answered_elsewhere || record.reason == EndReason::declined_elsewhere;
  if (!is_elsewhere && is_told(reason, call)) return true;
  if (record.reason != EndReason::signaling_lost) return false;
  return std::any_of(call.claims.begin(), call.claims.end(), [&](const auto& entry) {
    const Claim& claim = entry.second;
    const bool has_waited =
        input.kind == StepInput::Kind::deadlines && claim.at + settings_.session_grace <= stage_.now();
    return claim.talks() && (has_waited || loses_session);
  });
}

// A side that has told of a call, and hears that the other side has ended it, or is not to be found.
bool Judge::may_hear_end_of_claim(const std::string& session, const View& view, const std::string& reason,
                                  const Truth& call) const {
  if (!view.telling) return call.ends_before.contains(reason);
  const bool is_told_by_other = std::any_of(
      call.ends_told.begin(), call.ends_told.end(),
      [&](const EndTold& one) { return one.by_caller != view.is_caller && one.reason == reason; });
  const bool is_elsewhere =
      reason == name(EndReason::answered_elsewhere) || reason == name(EndReason::declined_elsewhere);
  const bool is_own = call.left_by.contains(session);
  const bool is_ringing_leg = !view.is_caller && !view.telling->was_answered && !view.said_accept;
  const bool is_lost = reason == name(is_ringing_leg ? EndReason::canceled : EndReason::signaling_lost);
  const auto claim = call.claims.find(session);
  const bool has_waited =
      claim != call.claims.end() && claim->second.at + settings_.session_grace <= stage_.now();
  const bool other_is_gone = std::any_of(call.claims.begin(), call.claims.end(), [&](const auto& entry) {
    return !is_claim_alive(entry.second) && entry.second.telling.is_caller != view.is_caller;
  });
  // The server keeps the other side's reason for as long as somebody may come back in time; after that, and
  // of a call that another device of this side has ended, it knows that it is over.
  const bool is_late = std::any_of(call.ends_told.begin(), call.ends_told.end(), [&](const EndTold& one) {
    return one.by_caller == view.is_caller || one.at + settings_.session_grace <= stage_.now();
  });
  const bool is_right = (is_told_by_other && !is_elsewhere) || is_own ||
                        (is_lost && (call.record || has_waited || other_is_gone || is_late));
  if (is_right) stage_.tally.add(Count::ends_told);
  return is_right;
}

}  // namespace offhook::sim
