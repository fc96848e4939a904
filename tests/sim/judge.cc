#include "judge.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>
#include <variant>

#include "core/call/timeline.h"

namespace offhook::sim {
namespace {

using signal::EndReason;
using std::chrono::seconds;

Count count_of(EndReason reason) {
  switch (reason) {
    case EndReason::canceled:
      return Count::ended_canceled;
    case EndReason::declined:
    case EndReason::declined_elsewhere:
      return Count::ended_declined;
    case EndReason::busy:
      return Count::ended_busy;
    case EndReason::no_answer:
      return Count::ended_no_answer;
    case EndReason::unreachable:
      return Count::ended_unreachable;
    case EndReason::media_denied:
      return Count::ended_media_denied;
    case EndReason::ice_failed:
    case EndReason::ice_lost:
      return Count::ended_ice;
    case EndReason::signaling_lost:
      return Count::ended_signaling_lost;
    case EndReason::server_shutdown:
      return Count::ended_server_shutdown;
    case EndReason::credentials:
      return Count::ended_credentials;
    case EndReason::hangup:
    case EndReason::answered_elsewhere:
    case EndReason::blocked:
    case EndReason::error:
      break;
  }
  return Count::ended_hangup;
}

const signal::CallId* call_of(const signal::NumberedMessage& message) {
  return std::visit(
      [](const auto& one) -> const signal::CallId* {
        using Message = std::decay_t<decltype(one)>;
        if constexpr (requires { Message::call.text(); }) {
          return &one.call;
        } else {
          return nullptr;
        }
      },
      message);
}

}  // namespace

Judge::Truth& Judge::truth(const std::string& call) {
  const auto found = calls_.find(call);
  require(found != calls_.end(), "nobody hears of a call that was not dialled", call);
  return found->second;
}

void Judge::dialled(const std::string& call, std::size_t device, std::size_t to, const Entry* script) {
  const Plan& plan = stage_.plan;
  Truth made;
  made.caller = device;
  made.caller_user = user_name(plan.devices[device].user);
  made.callee_user = user_name(to);
  made.script = script;
  made.dialled_at = stage_.now();
  const auto is_direct = [&plan](const PlannedDevice& one) {
    return std::max(plan.warm_path, one.warm_path) == WarmPath::direct;
  };
  made.may_be_direct = is_direct(plan.devices[device]) &&
                       std::any_of(plan.devices.begin(), plan.devices.end(),
                                   [&](const auto& one) { return one.user == to && is_direct(one); });
  const auto placed = calls_.find(call);
  made.is_placed = placed != calls_.end();
  require(!made.is_placed || (placed->second.is_placed && placed->second.caller_user == made.caller_user &&
                              placed->second.callee_user == made.callee_user),
          "a call is made as the app asked", call);
  if (made.is_placed) stage_.tally.add(Count::placed);
  calls_[call] = std::move(made);
}

void Judge::place(const std::string& call, const std::string& caller, const std::string& callee) {
  Truth made;
  made.is_placed = true;
  made.caller_user = caller;
  made.callee_user = callee;
  require(calls_.emplace(call, std::move(made)).second, "a call id is used once", call);
}

const Entry* Judge::script_of(const std::string& call) const {
  const auto found = calls_.find(call);
  return found == calls_.end() ? nullptr : found->second.script;
}

std::size_t Judge::caller_of(const std::string& call) const { return calls_.at(call).caller; }

void Judge::gives_up_waiting(const std::string& call, bool is_well, const std::string& who) {
  const Truth& known = truth(call);
  if (!is_well || known.waits_longer || known.was_lost || stage_.now() < stage_.disturbed_until) return;
  require(false, "the server ends a call that nobody answers", who + " waits for the end of " + call);
}

// ---- what the server processes

void Judge::process(const std::string& session, std::string_view user,
                    const signal::NumberedMessage& message) {
  const signal::CallId* id = call_of(message);
  if (id == nullptr) return;
  Truth& call = truth(id->text());
  if (const auto* dial = std::get_if<signal::Dial>(&message)) {
    require(user == call.caller_user && dial->to == call.callee_user, "a dial arrives as it was sent",
            id->text());
    require(!call.was_heard, "a dial is processed once", id->text());
    call.was_heard = true;
    call.caller_session = session;
    return;
  }
  if (const auto* told = std::get_if<signal::Snapshot>(&message)) return tell(session, user, call, *told);
  if (speak_of_claim(session, call, message) || !call.lives) return;
  call.had_offer = call.has_offer;
  if (std::holds_alternative<signal::Offer>(message)) call.has_offer |= session == call.caller_session;
  if (std::holds_alternative<signal::Answer>(message)) call.has_answer = true;
  if (std::holds_alternative<signal::Accept>(message)) {
    call.accepted_by.insert(session);
    call.awaits_accept |= !call.is_accepted;
  }
  if (std::holds_alternative<signal::Connected>(message)) {
    call.connected_by.insert(session);
    if (call.accepted_by.empty()) call.waits_longer = true;
  }
  const auto* reject = std::get_if<signal::Reject>(&message);
  if (reject != nullptr || std::holds_alternative<signal::Hangup>(message)) call.left_by.insert(session);
  // Others may still be on their way; if none comes, it ends for that.
  if (reject != nullptr && call.is_restored)
    call.ends_told.push_back({false, std::string(name(reject->reason)), stage_.now()});
}

void Judge::refuse(const signal::NumberedMessage& message) {
  const auto* dial = std::get_if<signal::Dial>(&message);
  if (dial != nullptr) truth(dial->call.text()).was_refused = true;
  const auto* offer = std::get_if<signal::Offer>(&message);
  if (offer == nullptr) return;
  Truth& call = truth(offer->call.text());
  call.has_offer = call.had_offer;
}

void Judge::begin(const call::WaitingCall& made, const StepInput& input) {
  const std::string& id = made.call.text();
  Truth& call = truth(id);
  require(!call.lives, "a call lives once", id);
  require(made.caller == call.caller_user && made.callee == call.callee_user, "a record names its parties",
          id);
  check_birth(made, call, input);
  call.restored_at = stage_.now();
  call.is_restored = input.message == nullptr || std::holds_alternative<signal::Snapshot>(*input.message);
  if (call.was_lost) stage_.tally.add(Count::outlived);
  const auto claims_nothing = [&call](const std::string& session) { return !call.claims.contains(session); };
  std::erase_if(call.accepted_by, claims_nothing);
  std::erase_if(call.connected_by, claims_nothing);
  call.lives = call.was_heard = true;
  call.was_refused = false;  // by a server before this one, as far as its caller does not know
  call.is_being_woken = false;
  call.is_over = call.was_lost = call.is_accepted = call.awaits_accept = call.waits_longer = false;
  call.has_offer = call.has_answer = call.had_offer = call.is_settled = false;
  if (call.record) call.ends_before.emplace(name(call.record->reason));
  call.record.reset();
  call.introduced.clear();
  call.winners = 0;
  call.began = stage_.now() - made.age;
}

void Judge::answered(const std::string& id) {
  Truth& call = truth(id);
  require(call.lives && !call.is_accepted, "a call is accepted once", id);
  require(!call.accepted_by.empty(), "a call is accepted by somebody", id);
  call.is_accepted = call.is_settled = true;
  call.settled = stage_.now();
  call.claims.clear();
}

std::size_t Judge::waiting(std::string_view callee, std::string_view caller, bool with_offer) const {
  return static_cast<std::size_t>(std::count_if(calls_.begin(), calls_.end(), [&](const auto& entry) {
    const Truth& call = entry.second;
    return call.callee_user == callee && (caller.empty() || call.caller_user == caller) && call.lives &&
           !call.is_accepted && (!with_offer || (call.has_offer && !call.has_answer));
  }));
}

// Whether what the server was given explains why the call is over.
bool Judge::is_explained(const call::CallEnded& record, const Truth& call, const StepInput& input,
                         std::size_t sessions_after) const {
  const auto* hangup = input.message != nullptr ? std::get_if<signal::Hangup>(input.message) : nullptr;
  const auto* reject = input.message != nullptr ? std::get_if<signal::Reject>(input.message) : nullptr;
  const bool says_bye = input.message != nullptr && std::holds_alternative<signal::Bye>(*input.message);
  const bool hangs_up = hangup != nullptr && hangup->call == record.call;
  const bool rejects = reject != nullptr && reject->call == record.call;
  const bool by_caller = input.session == call.caller_session;
  const bool loses_session = says_bye || sessions_after < input.sessions_before || stage_.plan.is_tight;
  const bool at_deadline = input.kind == StepInput::Kind::deadlines;
  const bool by_app = input.kind == StepInput::Kind::end_call && input.subject == record.call.text();
  if (by_app) return record.reason == (record.accepted ? EndReason::hangup : EndReason::canceled);
  if (is_end_of_claim(record, call, input, loses_session)) return true;
  switch (record.reason) {
    case EndReason::hangup:
      return hangs_up && hangup->reason == EndReason::hangup && record.accepted;
    case EndReason::canceled:
      if (record.accepted) return false;
      return (hangs_up && by_caller && hangup->reason == EndReason::hangup) || loses_session;
    case EndReason::declined:
      if (record.accepted || by_caller) return false;
      return (rejects && reject->reason == EndReason::declined) ||
             (hangs_up && hangup->reason == EndReason::hangup);
    case EndReason::busy:
      return (rejects && reject->reason == EndReason::busy) || stage_.plan.is_tight;
    case EndReason::media_denied:
      return (rejects && reject->reason == EndReason::media_denied) ||
             (hangs_up && hangup->reason == EndReason::media_denied);
    case EndReason::ice_failed:
    case EndReason::ice_lost:
    case EndReason::error:
      return hangs_up && hangup->reason == record.reason;
    case EndReason::no_answer:
      return at_deadline && !record.accepted && record.lasted >= settings_.ring_timeout;
    case EndReason::unreachable:
      return at_deadline && !record.accepted &&
             record.lasted >= (call.is_being_woken ? settings_.ring_timeout : settings_.unreachable_timeout);
    case EndReason::signaling_lost:
      return record.accepted && loses_session;
    case EndReason::server_shutdown:
      return input.kind == StepInput::Kind::shutdown;
    case EndReason::credentials:
      return input.kind == StepInput::Kind::revoke &&
             (input.subject == call.caller_user || input.subject == call.callee_user);
    case EndReason::answered_elsewhere:
    case EndReason::declined_elsewhere:
    case EndReason::blocked:
      return false;
  }
  return false;
}

void Judge::end(const call::CallEnded& record, const StepInput& input, std::size_t sessions_after) {
  const std::string& id = record.call.text();
  Truth& call = truth(id);
  const std::string reason(name(record.reason));
  require(call.was_heard && !call.was_refused, "a call ends that was dialled", id);
  require(call.lives, "a call ends once", id + " " + reason);
  require(record.caller == call.caller_user && record.callee == call.callee_user,
          "a record names its parties", id);
  require(is_explained(record, call, input, sessions_after), "a call ends for an honest reason",
          id + " " + reason + (record.accepted ? " after its accept" : " before an accept"));
  require(!speaks_for_others(record, call, input), "no device speaks for another one", id + " " + reason);
  require(record.accepted == call.is_accepted, "the first accept wins", id + " " + reason);
  require(record.accepted || !call.awaits_accept || stage_.plan.is_tight, "the first accept wins",
          id + " " + reason);
  require(!record.connected || (record.accepted && call.connected_by.size() >= 2),
          "a call is connected when both ends say so", id);
  const Duration wait =
      settings_.ring_timeout + (call.waits_longer ? settings_.session_grace : Duration::zero());
  require(record.accepted || record.lasted <= wait + seconds(1) || stage_.now() < stage_.disturbed_until,
          "a call rings no longer than it may", id + " " + reason);
  require(record.lasted == stage_.now() - call.began, "a record tells how long the call lasted", id);
  std::uint64_t last_ms = 0;
  for (const call::TimelineEntry& entry : record.timeline) {
    require(entry.offset_ms >= last_ms, "a timeline goes forward", id + " " + entry.event);
    last_ms = entry.offset_ms;
  }
  call.record = record;
  call.lives = false;
  call.is_over = true;
  if (!call.is_settled) call.settled = stage_.now();
  call.is_settled = true;
  stage_.tally.add(Count::calls);
  stage_.tally.add(count_of(record.reason));
  if (record.accepted) stage_.tally.add(Count::accepted);
  if (input.kind == StepInput::Kind::end_call) stage_.tally.add(Count::ended_by_app);
  if (record.connected) stage_.tally.add(Count::connected);
  stage_.tally.add(Count::call_s,
                   static_cast<std::uint64_t>(std::chrono::duration_cast<seconds>(record.lasted).count()));
}

void Judge::introduce(const call::PeerIntroduced& introduced, bool is_own_relay) {
  const std::string& id = introduced.call.text();
  Truth& call = truth(id);
  stage_.tally.add(Count::introductions);
  require(call.lives, "a call that is over introduces nobody", id);
  require(introduced.user == call.caller_user || introduced.user == call.callee_user,
          "a call introduces its own parties", id + " " + introduced.user);
  require(call.introduced.emplace(introduced.user, introduced.peer_address.ip).second,
          "an address is introduced once", id + " " + introduced.peer_address.text());
  const auto count = std::count_if(call.introduced.begin(), call.introduced.end(),
                                   [&](const auto& one) { return one.first == introduced.user; });
  require(static_cast<std::size_t>(count) <= call::kMaxIntroduced, "introductions have a limit", id);
  require(is_own_relay || call.is_accepted || call.may_be_direct || !call.accepted_by.empty(),
          "before an accept only this server's relays are told", id + " " + introduced.peer_address.text());
}

void Judge::take(const std::string& session, std::string_view user, const std::string& id) {
  Truth& call = truth(id);
  require(call.lives && call.is_accepted, "a call is taken while it lives", id);
  const bool as_caller = user == call.caller_user;
  require(as_caller || user == call.callee_user, "a user takes a call of their own", id);
  call.taken_by[session] = as_caller;
  if (as_caller) {
    call.caller_session = session;
  } else {
    call.accepted_by.insert(session);
  }
}

void Judge::wake(const std::string& id, bool under_way) {
  Truth& call = truth(id);
  call.is_being_woken = under_way && call.lives && !call.is_accepted;
  if (call.is_being_woken) stage_.tally.add(Count::woken);
}

std::optional<std::string> Judge::live_call(std::uint64_t choice) const {
  std::size_t at = live() == 0 ? 0 : choice % live();
  for (const auto& [id, call] : calls_) {
    if (call.lives && at-- == 0) return id;
  }
  return std::nullopt;
}

std::size_t Judge::live_of(std::string_view user) const {
  return static_cast<std::size_t>(std::count_if(calls_.begin(), calls_.end(), [user](const auto& entry) {
    return entry.second.lives && (entry.second.caller_user == user || entry.second.callee_user == user);
  }));
}

std::size_t Judge::live() const {
  return static_cast<std::size_t>(
      std::count_if(calls_.begin(), calls_.end(), [](const auto& entry) { return entry.second.lives; }));
}

void Judge::check_nothing_left() const {
  for (const auto& [id, call] : calls_) {
    if (!call.was_heard) continue;
    require(call.is_over || call.was_lost || call.was_refused, "every call ends", id);
  }
}

}  // namespace offhook::sim
