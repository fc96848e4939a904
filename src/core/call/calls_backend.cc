// What the app's backend asks of calls. It is no party: it looks, and ends.

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "core/call/calls.h"

namespace offhook::call {

using signal::EndReason;

CallRecord Calls::record_of(const Call& call, Instant now) {
  CallRecord record{call.serial, call.id, call.caller_user, call.callee_user, call.media, call.state()};
  record.accepted = record.state == State::accepted || record.state == State::connected;
  record.connected = record.state == State::connected;
  record.dialled_at = call.timeline.began();
  record.lasted = now - call.timeline.began();
  record.timeline = call.timeline.entries();
  record.room = call.room;
  return record;
}

std::optional<CallRecord> Calls::record(const signal::CallId& id, Instant now) {
  if (const Call* call = find(id)) return record_of(*call, now);
  const CallRecord* ended = records_.find(id);
  return ended == nullptr ? std::nullopt : std::optional(*ended);
}

Calls::Found Calls::last_before(std::uint64_t serial) {
  const CallRecord* ended = records_.last_before(serial);
  const auto at = key_by_serial_.lower_bound(serial);
  if (at == key_by_serial_.begin()) return {nullptr, ended};
  const auto& [live_serial, key] = *std::prev(at);
  if (ended != nullptr && ended->serial > live_serial) return {nullptr, ended};
  return {calls_.find(key.slot), nullptr};
}

CallPage Calls::page(const CallQuery& query, Instant now) {
  CallPage page;
  std::uint64_t before = query.before.value_or(last_serial_ + 1);
  for (Found found = last_before(before); found; found = last_before(before)) {
    before = found.serial();
    if (query.live && *query.live != (found.live != nullptr)) continue;
    if (query.user && *query.user != found.caller() && *query.user != found.callee()) continue;
    if (page.calls.size() == query.limit) {
      page.next_before = page.calls.back().serial;
      break;
    }
    page.calls.push_back(found.live != nullptr ? record_of(*found.live, now) : *found.ended);
  }
  return page;
}

bool Calls::end_by_app(const signal::CallId& id, const Step& step) {
  Call* call = find(id);
  if (call == nullptr) return false;
  const auto next = decide({call, Role::caller}, Event::app_end);
  assert(next && *next == State::ended);
  (void)next;
  const EndReason reason = call->winner() == nullptr ? EndReason::canceled : EndReason::hangup;
  Ending ending{reason, reason, std::nullopt, reason};
  ending.by_app = true;
  end_call(*call, ending, step);
  return true;
}

std::size_t Calls::end_of_revoked(std::string_view user, const Step& step) {
  std::size_t ended = 0;
  calls_.for_each([&](SlabId, Call& call) {
    const bool is_caller = call.caller_user == user;
    if (!is_caller && call.callee_user != user) return;
    const auto next = decide({&call, Role::caller}, Event::user_revoked);
    assert(next && *next == State::ended);
    (void)next;
    const EndReason reason = EndReason::credentials;
    Ending ending{reason, reason, std::nullopt, reason};
    ending.by_side = is_caller ? Side::caller : Side::callee;
    end_call(call, ending, step);
    ended += 1;
  });
  for (const SessionKey device : sessions_.of_user(user))
    leave_rooms(*sessions_.find(device), EndReason::credentials, step);
  return ended;
}

std::size_t Calls::place(const signal::CallId& id, const std::string& caller, std::string_view callee,
                         signal::Media media, const Step& step) {
  const signal::Body asks = signal::place(id, callee, media);
  std::size_t devices = 0;
  for (const SessionKey device : sessions_.of_user(caller)) {
    // No device: whoever is back and takes the place would hear of it once more.
    if (sessions_.find(device)->holds_place) continue;
    // Like a ring: nobody at the device has chosen it, so it may not fill the queue.
    if (!sessions_.has_room_to_ring(device, {asks})) continue;
    sessions_.send(device, asks, step.now, step);
    devices += 1;
  }
  if (devices > 0) placements_.add(id, caller);
  return devices;
}

void Calls::settle_placement(const signal::CallId& id, const Session& dialler, const Step& step) {
  if (!placements_.user_of(id)) return;
  placements_.remove(id);
  const signal::Body over =
      signal::ended(id, EndReason::answered_elsewhere, "The call was made on another device.", false);
  for (const SessionKey device : sessions_.of_user(dialler.user)) {
    if (device == dialler.key || sessions_.find(device)->holds_place) continue;
    remember_end(*sessions_.find(device), id);
    // One that has no room finds out when it dials.
    if (sessions_.has_room_to_ring(device, {over})) sessions_.send(device, over, std::nullopt, step);
  }
}

bool Calls::is_accepted(CallKey key) {
  Call& call = *calls_.find(key.slot);
  return call.winner() != nullptr;
}

const signal::CallId& Calls::id_of(CallKey key) { return calls_.find(key.slot)->id; }

}  // namespace offhook::call
