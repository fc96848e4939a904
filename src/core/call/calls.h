#pragma once
// Calls: who is in which call, what each message does to it (transitions.h), and what the others are told.
// Messages go out by way of Sessions, which numbers and keeps them.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/call/blocks.h"
#include "core/call/call.h"
#include "core/call/claims.h"
#include "core/call/dial_rate.h"
#include "core/call/keys.h"
#include "core/call/placements.h"
#include "core/call/record.h"
#include "core/call/records.h"
#include "core/call/rooms.h"
#include "core/call/sessions.h"
#include "core/call/settings.h"
#include "core/call/transitions.h"
#include "core/call/verdict.h"
#include "core/call/withholding.h"

namespace offhook::call {

// A message that was refused, as its sender is told.
struct Refusal {
  signal::ErrorCode code = signal::ErrorCode::wrong_state;
  std::string_view message;
  std::optional<Duration> retry_after = std::nullopt;
};
using Handled = Result<void, Refusal>;

class Calls {
 public:
  // All borrowed; they must outlive this.
  Calls(const Settings& settings, Sessions& sessions, Deadlines& deadlines);

  // Messages of a session, in its order.
  Handled handle(Session& from, const signal::Dial& message, const Step& step);
  Handled handle(Session& from, const signal::Ringing& message, const Step& step);
  Handled handle(Session& from, const signal::Accept& message, const Step& step);
  Handled handle(Session& from, const signal::Reject& message, const Step& step);
  Handled handle(Session& from, const signal::Hangup& message, const Step& step);
  Handled handle(Session& from, const signal::Offer& message, const Step& step);
  Handled handle(Session& from, const signal::Answer& message, const Step& step);
  Handled handle(Session& from, const signal::IceCandidate& message, const Step& step);
  Handled handle(Session& from, const signal::Connected& message, const Step& step);
  Handled handle(Session& from, const signal::Snapshot& told, const Step& step);
  Handled handle(Session& from, const signal::State& message, const Step& step);
  Handled handle(Session& from, const signal::Take& message, const Step& step);
  Handled handle(Session& from, const signal::Join& message, const Step& step);
  Handled handle(Session& from, const signal::Leave& message, const Step& step);
  Handled handle(Session& from, const signal::Block& message, const Step& step);
  Handled handle(Session& from, const signal::Unblock& message, const Step& step);
  // Tells a device which calls others of its user have that it may take.
  void tell_elsewhere(const Session& to, const Step& step);

  // A new session: it rings for the calls of its user that nobody has accepted.
  void handle_attached(Session& session, const Step& step);
  // The session goes on over another connection, perhaps from another network.
  void handle_resumed(const Session& session, const Step& step);
  // The session is over; it gets no more messages, and its calls end or lose a leg.
  void handle_gone(Session& session, const Step& step);
  // A call that is not there, or that somebody has accepted, is none of its business.
  void handle_waking(const signal::CallId& id, Waking waking, const Step& step);
  void handle_ring_timeout(CallKey key, const Step& step);
  void handle_unreachable_timeout(CallKey key, const Step& step);
  // The other side has not told the same of the call in time.
  void handle_claim_timeout(ClaimKey key, const Step& step);
  // At the start: a call of the process before this one.
  void restore(const WaitingCall& waiting, const Step& step);
  // Before any call is restored.
  void restore_blocks(const std::vector<UserBlock>& kept);
  void shutdown(const Step& step);

  // For the app's backend (calls_backend.cc).
  std::optional<CallRecord> record(const signal::CallId& id, Instant now);
  CallPage page(const CallQuery& query, Instant now);
  // False if no call of this id lives.
  bool end_by_app(const signal::CallId& id, const Step& step);
  // Ends all calls of this user, as caller and as callee; how many.
  std::size_t end_of_revoked(std::string_view user, const Step& step);
  // Asks the devices of `caller` to dial `callee` as this call; how many were asked.
  std::size_t place(const signal::CallId& id, const std::string& caller, std::string_view callee,
                    signal::Media media, const Step& step);
  // Calls between the two that nobody has accepted end with it. False if there is room for no more blocks.
  // Precondition: they are two.
  bool block(const std::string& by, const std::string& of, const Step& step);
  void unblock(std::string_view by, std::string_view of, const Step& step);
  // Whether one of the two has blocked the other.
  bool is_blocked(std::string_view one, std::string_view other) const;
  const Blocks& blocks() const { return blocks_; }
  // Preconditions: the call lives.
  bool is_accepted(CallKey key);
  // Of some room.
  bool is_member(const Session& session) const;
  const signal::CallId& id_of(CallKey key);

  std::size_t size() const { return calls_.size(); }
  std::optional<std::string> broken_invariant();
  // How many deadlines of calls there ought to be.
  std::size_t deadlines_due();

 private:
  // How a call ends for each of those in it.
  struct Ending {
    signal::EndReason caller;
    signal::EndReason callees;
    std::optional<SessionKey> by;  // whose doing it is; nullopt: nobody's, or the server's
    signal::EndReason by_reason;   // what that leg is told; for others unused
    // In place of `by`: the doing of the user on this side, whatever their sessions; or of the app.
    std::optional<Side> by_side = std::nullopt;
    bool by_app = false;
  };
  // A call that lives, or the record of one that is over; or neither.
  struct Found {
    const Call* live = nullptr;
    const CallRecord* ended = nullptr;
    explicit operator bool() const { return live != nullptr || ended != nullptr; }
    std::uint64_t serial() const { return live != nullptr ? live->serial : ended->serial; }
    const std::string& caller() const { return live != nullptr ? live->caller_user : ended->caller; }
    const std::string& callee() const { return live != nullptr ? live->callee_user : ended->callee; }
  };
  // Messages that go to one receiver together, and where they say that their sender is.
  struct Parcel {
    std::vector<signal::Body> bodies;
    std::vector<Address> introduced;
  };
  struct Receiver {
    SessionKey session;
    Passage passage = Passage::whole;
  };
  struct Description {
    bool is_offer = true;
    std::uint32_t generation = 0;
    std::string_view sdp;
    std::string_view guarded_sdp;  // empty where nobody gets it guarded
    bool fresh = false;
  };
  struct Located {
    Call* call = nullptr;  // nullptr: it is over for this session
    Role role = Role::caller;
  };

  Result<Located, Refusal> locate(const Session& from, const signal::CallId& id);
  // The part of `from` in the call as long as it lives.
  std::optional<Located> part_of(const Session& from, const signal::CallId& id);
  Call* find(const signal::CallId& id);
  static bool has_ended(const Session& session, const signal::CallId& id);
  // Whether a session of `user` has seen the end of a call of this id.
  bool is_remembered(const signal::CallId& id, std::string_view user);
  // The state that the event leads to; nullopt if there is nothing to do.
  static Result<std::optional<State>, Refusal> decide(const Located& located, Event event);

  // One device has dialled what several were asked to: the others need not ask their person any more.
  void settle_placement(const signal::CallId& id, const Session& dialler, const Step& step);
  static CallRecord record_of(const Call& call, Instant now);
  // Of the calls dialled before that of this serial the last.
  Found last_before(std::uint64_t serial);
  static Cause cause_for(const Ending& ending, SessionKey session, Side side);
  // The last entry of the timeline.
  static std::string end_text(const Ending& ending);
  // What the callee's end was told: by the device that brought the end about, if there is one.
  static EndTold told_to_callee(const Ending& ending, const std::vector<SessionKey>& callees);
  void keep_record(const Call& call, const Ending& ending, const std::vector<SessionKey>& callees,
                   const CallEnded& ended);
  Handled may_dial(const Session& from, const signal::Dial& dial, const Step& step);
  Call& begin(Session& from, const signal::Dial& dial, WarmPath warm_path, Instant began, const Step& step);

  // Blocks (calls_blocks.cc).
  Handled may_change_blocks(const Session& from, const Step& step);
  // Which side of the call has blocked the other one.
  std::optional<Side> blocked_by(const Call& call) const;
  void end_ringing_between(std::string_view caller, std::string_view callee, Side by, const Step& step);
  // Precondition: nobody has accepted the call. It is gone then.
  void end_blocked(Call& call, Side by, const Step& step);

  // Rooms (calls_rooms.cc).
  Handled may_dial_in(const signal::RoomName& room, const Session& from, const std::string& to);
  void replace(const signal::RoomName& room, SessionKey device, const Step& step);
  // Precondition: the session is a member of the room, or of these. Its calls there end, and the others hear
  // of it.
  void leave_room(Session& member, const signal::RoomName& room, signal::EndReason reason, const Step& step);
  void leave_rooms(Session& member, signal::EndReason reason, const Step& step);
  void end_in_room(Call& call, Session& by, signal::EndReason reason, const Step& step);
  bool are_members(const signal::RoomName& room, SessionKey one, SessionKey other) const;

  // Snapshots, by what they tell (calls_restore.cc).
  Handled ring_again(Session& from, const signal::Snapshot& told, const Step& step);
  Handled claim_ring(Session& from, const signal::Snapshot& told, const Step& step);
  Handled claim_talk(Session& from, const signal::Snapshot& told, const Step& step);
  Handled claim_end(Session& from, const signal::Snapshot& told, const Step& step);
  Handled keep_claim(const Session& from, const signal::Snapshot& told, const Step& step);
  Handled give_up_claim(Session& from, const Claim& claim, signal::EndReason reason, const Step& step);
  // The person answers a call whose caller is not back yet.
  Handled accept_claim(Claim& claim, const signal::Accept& message, const Step& step);
  // True if the other side, or this server, knows that the call is over; `from` has been told so then.
  bool is_over(Session& from, const signal::Snapshot& told, const Step& step);
  bool has_seen_end(std::string_view user, const signal::CallId& id);
  void note_leaving(const Session& from, const signal::Snapshot& told, const Step& step);
  void tell_end(Session& to, const signal::Snapshot& told, signal::EndReason reason, const Step& step);
  // Puts a call together that both sides claim to talk in.
  void establish(const signal::CallId& id, const Step& step);
  std::optional<std::pair<ClaimKey, ClaimKey>> talking_pair(const signal::CallId& id);
  bool can_talk(const Claim& caller, const Claim& callee);
  void talk(const Claim& caller, const Claim& callee, const Step& step);
  // Everything that was told of the call, as if it were told now.
  void reconsider(const signal::CallId& id, const Step& step);
  // The call that was restored for this caller, and what it has missed, are handed over to `from`.
  // True if it was away, and has its place in the call again.
  bool take_over(Session& from, const signal::CallId& id, const Step& step);
  void meet_winner(Session& caller, const signal::Snapshot& told, const Step& step);
  bool settle_claim_of_caller(Call& call, const Leg& leg);
  void end_claim(ClaimKey key, signal::EndReason reason, const Step& step);
  void lose_claims(const Session& session, const Step& step);
  static void outdate_offer(Call& call, std::optional<std::uint32_t> generation);
  static void note_generation(Call& call, std::optional<std::uint32_t> generation);

  // How many calls of `caller` to `callee` nobody has accepted.
  std::size_t waiting_calls(std::string_view caller, std::string_view callee);
  // Those that this call is meant for.
  std::vector<SessionKey> devices_for(const Call& call) const;
  // False if the call ended with it (nobody has room for it, or one has blocked the other): `call` is gone
  // then.
  bool ring_devices(Call& call, const Step& step);
  // No device is left to ring: how long the caller waits for one.
  void await_device(const Call& call, const Step& step);
  // This call is from the time before a restart, and its parties have so long to come back.
  void expect_others(Call& call, const Step& step) const;
  void add_leg_if_room(Call& call, Session& session, const Step& step);
  // Takes out a leg whose queue has no room. False if the call ended with it, as the last one: `call` is gone
  // then.
  bool leave_crowded(Call& call, SessionKey session, const Step& step);
  void enter(Call& call, State next);
  void stop_waiting(Call& call, const Step& step);
  void wait_longer(Call& call, const Step& step);
  // `here`: a leg that declines leaves, and does not speak for the user's other devices.
  Handled leave(Session& from, const Located& located, signal::EndReason reason, bool here, const Step& step);
  // The last device that is back leaves a call of before a restart: others may still be on their way.
  void await_others(Call& call, Session& from, signal::EndReason reason, const Step& step);
  void take_out_leg(Call& call, SessionKey session);
  void lose_leg(Call& call, SessionKey session, const Step& step);
  void end_call(Call& call, const Ending& ending, const Step& step);
  void remember_end(Session& session, const signal::CallId& id);
  void end_for(Call& call, SessionKey session, signal::EndReason reason, Side side, Cause cause,
               const Step& step);

  // Everybody whom this role's descriptions and candidates go to.
  static std::vector<Receiver> receivers(Call& call, Role role);
  static Leg* find_leg(Call& call, SessionKey session);
  static Outflow& outflow_of(Call& call, Role role, SessionKey session);
  static const std::string& user_of(const Call& call, Role role);
  // Whether what is withheld has to be taken out of this role's descriptions.
  static bool is_guarded(Call& call, Role role, SessionKey session);

  static std::string text_for(Passage passage, const Description& description);
  // The description as it passes, and the candidates that follow it.
  static Parcel parcel_of(const Call& call, Role role, Passage passage, const Description& description,
                          const std::vector<Kept>& following);
  // What was withheld of this role's newest description.
  static Parcel withheld_parcel(const Call& call, Role role, const Outflow& outflow);
  static void add_candidate(Parcel& parcel, const Call& call, Role role, Passage passage,
                            std::uint32_t generation, const Kept& kept);
  // Sends what `wrap` gives to all receivers of this role. A leg without room for it leaves the call; `call`
  // is gone afterwards if that was the last one.
  void relay(Call& call, Role role, const std::function<Parcel(Passage)>& wrap, const Step& step);
  void pass(Call& call, SessionKey to, const Parcel& parcel, const Step& step);
  // Releases the description, relays it and the candidates that were held for it.
  void relay_description(Call& call, Role role, const Description& description,
                         std::vector<signal::Candidate> withheld, Outflow& outflow, const Step& step);
  static void begin_afresh(Call& call);
  static Event event_of_take(Call& call, SessionKey session);
  static signal::TakeableCall takeable(const Call& call, bool as_caller);
  // The place of one side goes to another device of the same user.
  void hand_over(Call& call, Session& to, bool as_caller, const Step& step);
  static void forget_held_before(Call& call, std::uint32_t generation);
  void release_withheld(Call& call, const Step& step);
  // An address of the other party has been passed to the caller, or to the callee.
  static void introduce(Call& call, bool to_caller, const std::vector<Address>& addresses, const Step& step);
  // Each side of an accepted call to where the other side's connection comes from.
  void introduce_seen(Call& call, const Step& step);

  std::optional<std::string> broken_call(Call& call);

  const Settings& settings_;
  Sessions& sessions_;
  Deadlines& deadlines_;
  Slab<Call> calls_;
  Claims claims_;
  // The sessions without a connection that hold the places of callers in restored calls.
  std::map<signal::CallId, SessionKey> stand_ins_;
  std::map<signal::CallId, CallKey> key_by_id_;
  // Calls that nobody has accepted, oldest first.
  std::map<std::string, std::vector<CallKey>, std::less<>> waiting_by_callee_;
  std::uint64_t last_serial_ = 0;
  std::map<std::uint64_t, CallKey> key_by_serial_;
  Records records_;
  Placements placements_;
  DialRate dial_rate_;
  Blocks blocks_;
  Rooms rooms_;
};

}  // namespace offhook::call
