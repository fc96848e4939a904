// What clients hear, held against what docs/protocol.md says that they may hear, and when.

#include <algorithm>
#include <array>
#include <chrono>

#include "judge.h"

namespace offhook::sim {
namespace {

using signal::EndReason;
using std::chrono::milliseconds;

}  // namespace

void Judge::hear(const std::string& session, std::size_t device, View& view, const ServerMessage& message,
                 const std::string& label) {
  const std::string who = label + " " + message.call;
  require(!message.call.empty(), "a message is about a call", who + " " + message.reason);
  hear_of_call(session, device, view, message, truth(message.call), who);
}

void Judge::hear_of_call(const std::string& session, std::size_t device, View& view,
                         const ServerMessage& message, Truth& call, const std::string& label) {
  if (message.said == Said::place) {
    require(call.is_placed && user_name(stage_.plan.devices[device].user) == call.caller_user &&
                message.to == call.callee_user,
            "a device is asked for what the app has asked for", label);
    view.was_asked = true;
    return;
  }
  // A session that was opened since then hears that another one has made the call, too.
  const bool may_hear_of_placed =
      call.is_placed && user_name(stage_.plan.devices[device].user) == call.caller_user;
  if (message.said == Said::ended && may_hear_of_placed && !view.is_caller) view.was_asked = true;
  if (message.said == Said::taken) return hear_taken(session, view, message, call, label);
  if (message.said != Said::error) {
    require(!view.told, "nothing follows the end of a call", label);
    require(view.is_caller || view.rang || view.telling || view.was_asked || message.said == Said::incoming,
            "nobody hears of a call of others", label);
  }
  hear_where(view, message, call, label);
  switch (message.said) {
    case Said::incoming:
      return hear_incoming(device, view, message, call, label);
    case Said::taken:
    case Said::elsewhere:
    case Said::place:
      return;
    case Said::state:
      return require(view.is_caller ? view.heard_accepted : view.said_accept,
                     "those who talk hear what the other sends", label);
    case Said::restored:
      require(view.telling && (view.telling->was_answered || view.said_accept),
              "a call goes on for those who talk", label);
      if (view.is_caller) stage_.tally.add(Count::talks_restored);
      return;
    case Said::ringing:
      return require(view.is_caller, "the caller hears that it rings", label);
    case Said::accepted:
      require(view.is_caller, "the caller hears of an accept", label);
      // Or another device has won while the caller, who had heard of one, was away.
      require(!view.heard_accepted || (message.fresh && (!call.taken_by.empty() || view.meets_winner())),
              "a call is accepted once", label);
      require(!call.accepted_by.empty(), "a call is accepted by somebody", label);
      view.heard_accepted = true;
      if (message.fresh) stage_.tally.add(Count::accepted_fresh);
      return;
    case Said::offer:
    case Said::answer:
      return hear_description(view, message, label);
    case Said::candidate:
      return hear_candidate(view, message, label);
    case Said::ended:
      return hear_end(session, view, message, call, label);
    case Said::error:
      return hear_error(view, message, call, label);
  }
}

// To this session the call may have been over.
void Judge::hear_taken(const std::string& session, View& view, const ServerMessage& message, Truth& call,
                       const std::string& label) {
  const auto taken = call.taken_by.find(session);
  require(view.said_take && taken != call.taken_by.end() && taken->second == message.taken.as_caller,
          "a call is given to a device that has asked for it", label);
  view = View{};
  view.is_caller = view.heard_accepted = message.taken.as_caller;
  view.said_accept = view.rang = !message.taken.as_caller;
  view.warm_path = WarmPath::direct;
}

void Judge::hear_incoming(std::size_t device, View& view, const ServerMessage& message, Truth& call,
                          const std::string& label) {
  const PlannedDevice& own = stage_.plan.devices[device];
  require(!view.rang && !view.is_caller, "a call rings once", label);
  require(user_name(own.user) == call.callee_user && message.from == call.caller_user,
          "a call rings where it was dialled", label);
  const WarmPath due =
      std::max({stage_.plan.warm_path, own.warm_path, stage_.plan.devices[call.caller].warm_path});
  require(message.warm_path == due, "the stricter warm path counts", label + " " + std::string(name(due)));
  const auto age = stage_.now() - call.began;
  require(milliseconds(message.age_ms) <= age, "a call is as old as it is", label);
  require(milliseconds(message.age_ms) <= settings_.ring_timeout + settings_.session_grace ||
              stage_.now() < stage_.disturbed_until,
          "a call that rings is not older than it may be", label);
  view.rang = true;
  view.warm_path = message.warm_path;
}

void Judge::hear_description(View& view, const ServerMessage& message, const std::string& label) {
  require(message.generation > view.newest, "generations rise",
          label + " " + std::to_string(message.generation));
  view.newest = message.generation;
}

void Judge::hear_candidate(View& view, const ServerMessage& message, const std::string& label) {
  require(message.generation == view.newest, "no candidate comes without its description",
          label + " " + message.candidate);
  const std::string key =
      fmt::format("{} {} {}", message.generation, message.ufrag, foundation_of(message.candidate));
  require(view.candidates.insert(key).second, "a candidate comes once", label + " " + message.candidate);
}

// Nothing but this server's relays is told before an accept, unless the warm path of both is direct.
void Judge::hear_where(View& view, const ServerMessage& message, const Truth& call,
                       const std::string& label) const {
  if (!tells_where(message.sdp) && !tells_where(message.candidate)) return;
  const bool may_know = view.is_caller ? call.may_be_direct || view.heard_accepted
                                       : view.warm_path == WarmPath::direct || view.said_accept;
  require(may_know, "nobody hears where the other is before an accept",
          label + " " + message.candidate + message.sdp);
  view.was_told_where = true;
}

void Judge::hear_end(const std::string& session, View& view, const ServerMessage& message, Truth& call,
                     const std::string& label) {
  view.told = message.reason;
  if (view.was_asked && !view.is_caller) {
    return require(message.reason == name(EndReason::answered_elsewhere) && call.was_heard,
                   "a device that was asked hears that another one has made the call", label);
  }
  if (view.is_caller) {
    const auto is_other = [&session](const std::string& one) { return one != session; };
    const bool is_taken = std::any_of(call.taken_by.begin(), call.taken_by.end(), [&](const auto& taken) {
      return taken.second && is_other(taken.first);
    });
    const bool is_elsewhere = message.reason == name(EndReason::answered_elsewhere) &&
                              (is_taken || std::any_of(call.callers.begin(), call.callers.end(), is_other));
    const bool is_right = is_elsewhere || (call.record && message.reason == name(call.record->reason));
    require(is_right || may_hear_end_of_claim(session, view, message.reason, call),
            "all sides hear why a call ended", label + " " + message.reason);
    return;
  }
  hear_end_as_callee(session, view, message.reason, call, label);
  if (message.reason == name(EndReason::answered_elsewhere)) {
    stage_.tally.add(Count::answered_elsewhere);
    require(!view.was_told_where || view.warm_path == WarmPath::direct || !call.taken_by.empty(),
            "a device that did not win hears nothing of where the caller is", label);
  } else if (call.record && call.record->accepted && view.said_accept && !view.telling) {
    // What a device tells after a restart may be of a take that nobody has heard of.
    call.winners += message.reason == name(call.record->reason) ? 1U : 0U;
    require(call.winners <= 1, "one device wins", label);
  }
}

void Judge::hear_end_as_callee(const std::string& session, const View& view, const std::string& reason,
                               const Truth& call, const std::string& label) const {
  const auto others = [&session](const std::set<std::string>& said) {
    return said.size() > (said.contains(session) ? 1U : 0U);
  };
  bool is_right = false;
  if (reason == name(EndReason::answered_elsewhere)) {
    is_right = others(call.accepted_by);
  } else if (reason == name(EndReason::declined_elsewhere)) {
    is_right = others(call.left_by) && call.record && !call.record->accepted;
  } else if (call.left_by.contains(session)) {
    // What it said itself, or what crossed it.
    is_right = true;
  } else if (reason == name(EndReason::busy)) {
    // Or the caller has told so, who knows it from a server before this one.
    is_right = stage_.plan.is_tight || is_told(reason, call);
  } else {
    is_right =
        call.record && reason == name(call.record->reason) && (!call.record->accepted || view.said_accept);
  }
  require(is_right || may_hear_end_of_claim(session, view, reason, call), "all sides hear why a call ended",
          label + " " + reason);
}

void Judge::hear_error(View& view, const ServerMessage& message, Truth& call,
                       const std::string& label) const {
  static constexpr std::array<std::string_view, 5> kExpected = {
      "stale_generation", "wrong_state", "too_many_candidates", "too_many_calls", "too_many_dials"};
  if (message.reason == "too_many_calls" || message.reason == "too_many_dials") view.was_refused = true;
  if (message.reason == "stale_generation") stage_.tally.add(Count::stale_offers);
  // A call that is over meanwhile cannot be taken.
  if (message.reason == "unknown_call" && view.said_take) return;
  const bool is_of_another = message.reason == "bad_call_id" || message.reason == "not_in_call";
  if (is_of_another && view.may_be_with_old_session) {
    view.was_refused = true;
    return;
  }
  // What follows a dial that was refused is about no call.
  if (message.reason == "unknown_call" && (view.was_refused || call.was_refused)) return;
  const bool is_expected = std::find(kExpected.begin(), kExpected.end(), message.reason) != kExpected.end();
  require(is_expected, "a client that keeps the rules is not refused", label + " " + message.reason);
}

}  // namespace offhook::sim
