// Blocks, and what they mean for calls (docs/protocol.md, "Blocks"): between two of whom one has blocked the
// other nothing rings, whoever dials. A call that was answered goes on.

#include <cassert>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::EndReason;
using signal::ErrorCode;

Handled Calls::handle(Session& from, const signal::Block& message, const Step& step) {
  if (message.user == from.user) return fail(Refusal{ErrorCode::self_call, "a user cannot block themselves"});
  if (!blocks_.has(from.user, message.user)) {
    if (!blocks_.has_room(from.user))
      return fail(Refusal{ErrorCode::too_many_blocks, "there are as many blocks as there may be"});
    if (const Handled allowed = may_change_blocks(from, step); !allowed) return allowed;
    const bool done = block(from.user, message.user, step);
    assert(done);
    (void)done;
  }
  sessions_.send(from.key, signal::blocked(message.user), std::nullopt, step);
  return {};
}

Handled Calls::handle(Session& from, const signal::Unblock& message, const Step& step) {
  if (blocks_.has(from.user, message.user)) {
    if (const Handled allowed = may_change_blocks(from, step); !allowed) return allowed;
    unblock(from.user, message.user, step);
  }
  sessions_.send(from.key, signal::unblocked(message.user), std::nullopt, step);
  return {};
}

// Each change is one of the disk; like dials, a person makes a few.
Handled Calls::may_change_blocks(const Session& from, const Step& step) {
  const auto wait = dial_rate_.take(from.user, step.now);
  if (!wait) return {};
  return fail(Refusal{ErrorCode::too_many_dials, "you block and unblock too often; wait a while", wait});
}

bool Calls::block(const std::string& by, const std::string& of, const Step& step) {
  if (blocks_.has(by, of)) return true;
  if (!blocks_.has_room(by)) return false;
  blocks_.add(by, of);
  step.outbox.push_back(JournalBlock{{by, of}});
  end_ringing_between(by, of, Side::caller, step);
  end_ringing_between(of, by, Side::callee, step);
  return true;
}

void Calls::unblock(std::string_view by, std::string_view of, const Step& step) {
  if (blocks_.remove(by, of)) step.outbox.push_back(ForgetBlock{{std::string(by), std::string(of)}});
}

void Calls::restore_blocks(const std::vector<UserBlock>& kept) {
  for (const UserBlock& block : kept) blocks_.add(block.by, block.of);
}

bool Calls::is_blocked(std::string_view one, std::string_view other) const {
  return blocks_.has(one, other) || blocks_.has(other, one);
}

// If both have blocked the other, the caller is told of the block that is their own.
std::optional<Side> Calls::blocked_by(const Call& call) const {
  if (blocks_.has(call.caller_user, call.callee_user)) return Side::caller;
  if (blocks_.has(call.callee_user, call.caller_user)) return Side::callee;
  return std::nullopt;
}

void Calls::end_ringing_between(std::string_view caller, std::string_view callee, Side by, const Step& step) {
  const auto waiting = waiting_by_callee_.find(callee);
  if (waiting == waiting_by_callee_.end()) return;
  const std::vector<CallKey> keys = waiting->second;
  for (const CallKey key : keys) {
    Call& call = *calls_.find(key.slot);
    if (call.caller_user == caller) end_blocked(call, by, step);
  }
}

// Whoever is blocked and is called hears no more than that the caller has given up.
void Calls::end_blocked(Call& call, Side by, const Step& step) {
  const auto next = decide({&call, Role::caller}, Event::user_blocked);
  assert(next && *next == State::ended);
  (void)next;
  const EndReason callees = by == Side::callee ? EndReason::blocked : EndReason::canceled;
  Ending ending{EndReason::blocked, callees, std::nullopt, EndReason::blocked};
  ending.by_side = by;
  end_call(call, ending, step);
}

}  // namespace offhook::call
