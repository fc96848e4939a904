// What passes between the parties of a call: to whom, in which form, and what that tells them of each other.

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "core/call/calls.h"
#include "wire/sdp/description.h"

namespace offhook::call {

std::vector<Calls::Receiver> Calls::receivers(Call& call, Role role) {
  if (const Leg* winner = call.winner()) {
    const Passage settled = passage(winner->warm_path, true);
    return {{role == Role::caller ? winner->session : call.caller_session, settled}};
  }
  std::vector<Receiver> receivers;
  for (const Leg& leg : *call.legs()) {
    const bool is_warm = call.warm.session == leg.session;
    const Receiver receiver{role == Role::caller ? leg.session : call.caller_session,
                            passage(leg.warm_path, false)};
    const bool hears = role == Role::caller ? is_warm || !call.warm.answer_passed : is_warm;
    if (hears) receivers.push_back(receiver);
  }
  return receivers;
}

void Calls::add_candidate(Parcel& parcel, const Call& call, Role role, Passage passage,
                          std::uint32_t generation, const Kept& kept) {
  signal::Candidate passing = kept.candidate;
  if (passage == Passage::guarded) {
    if (!kept.guarded) return;
    passing.candidate = *kept.guarded;
  }
  parcel.bodies.push_back(signal::ice_candidate(call.id, user_of(call, role), generation, passing));
  if (const auto address = introduced_by(passing)) parcel.introduced.push_back(*address);
}

std::string Calls::text_for(Passage passage, const Description& description) {
  switch (passage) {
    case Passage::whole:
      return std::string(description.sdp);
    case Passage::guarded:
      return std::string(description.guarded_sdp);
    case Passage::settled:
      return sdp::with_plain_origin(description.sdp);
  }
  return {};
}

Calls::Parcel Calls::parcel_of(const Call& call, Role role, Passage passage, const Description& description,
                               const std::vector<Kept>& following) {
  const std::string sdp = text_for(passage, description);
  const std::string& user = user_of(call, role);
  Parcel parcel;
  parcel.introduced = introduced_by(sdp);
  parcel.bodies.push_back(description.is_offer
                              ? signal::offer(call.id, user, description.generation, sdp, description.fresh)
                              : signal::answer(call.id, user, description.generation, sdp));
  for (const Kept& kept : following) {
    // It is in the description, or withheld of it.
    if (kept.in_description) continue;
    add_candidate(parcel, call, role, passage, description.generation, kept);
  }
  return parcel;
}

Calls::Parcel Calls::withheld_parcel(const Call& call, Role role, const Outflow& outflow) {
  Parcel parcel;
  for (const Kept& kept : outflow.released()) {
    if (kept.guarded) continue;  // it has passed
    add_candidate(parcel, call, role, Passage::settled, *outflow.newest(), kept);
  }
  return parcel;
}

void Calls::relay_description(Call& call, Role role, const Description& description,
                              std::vector<signal::Candidate> withheld, Outflow& outflow, const Step& step) {
  const std::vector<Kept>& following =
      outflow.release(description.generation, description.sdp, std::move(withheld));
  relay(
      call, role, [&](Passage passage) { return parcel_of(call, role, passage, description, following); },
      step);
}

void Calls::relay(Call& call, Role role, const std::function<Parcel(Passage)>& wrap, const Step& step) {
  std::array<std::optional<Parcel>, kPassages> parcels;
  const auto parcel = [&](const Receiver& receiver) -> const Parcel& {
    auto& wrapped = parcels[static_cast<std::size_t>(receiver.passage)];
    if (!wrapped) wrapped = wrap(receiver.passage);
    return *wrapped;
  };
  std::vector<Receiver> receivers = Calls::receivers(call, role);
  if (role == Role::caller && call.legs() != nullptr) {
    const auto crowded =
        std::stable_partition(receivers.begin(), receivers.end(), [&](const Receiver& receiver) {
          return sessions_.has_room_to_ring(receiver.session, parcel(receiver).bodies);
        });
    for (auto leg = crowded; leg != receivers.end(); ++leg) {
      if (!leave_crowded(call, leg->session, step)) return;
    }
    receivers.erase(crowded, receivers.end());
  }
  for (const Receiver& receiver : receivers) pass(call, receiver.session, parcel(receiver), step);
}

void Calls::pass(Call& call, SessionKey to, const Parcel& parcel, const Step& step) {
  introduce(call, to == call.caller_session, parcel.introduced, step);
  for (const signal::Body& body : parcel.bodies) sessions_.send(to, body, std::nullopt, step);
}

void Calls::release_withheld(Call& call, const Step& step) {
  const Leg& winner = *call.winner();
  if (winner.warm_path == WarmPath::direct) return;
  pass(call, winner.session, withheld_parcel(call, Role::caller, call.caller_outflow), step);
  pass(call, call.caller_session, withheld_parcel(call, Role::winner, winner.outflow), step);
}

void Calls::introduce(Call& call, bool to_caller, const std::vector<Address>& addresses, const Step& step) {
  std::vector<Ip>& known = to_caller ? call.introduced_to_caller : call.introduced_to_callee;
  for (const Address& address : addresses) {
    if (known.size() >= kMaxIntroduced) return;
    if (std::find(known.begin(), known.end(), address.ip) != known.end()) continue;
    known.push_back(address.ip);
    step.outbox.push_back(PeerIntroduced{call.id, to_caller ? call.caller_user : call.callee_user, address});
  }
}

// The first checks of ICE are on their way before the candidates that would tell where they come from.
void Calls::introduce_seen(Call& call, const Step& step) {
  const auto seen = [&](SessionKey key) {
    const std::optional<Ip>& ip = sessions_.find(key)->seen_at;
    return ip ? std::vector<Address>{{*ip, 0}} : std::vector<Address>{};
  };
  introduce(call, true, seen(call.winner()->session), step);
  introduce(call, false, seen(call.caller_session), step);
}

void Calls::handle_resumed(const Session& session, const Step& step) {
  for (const auto* keys : {&session.dialled, &session.incoming}) {
    for (const CallKey key : *keys) {
      Call& call = *calls_.find(key.slot);
      if (call.winner() != nullptr) introduce_seen(call, step);
    }
  }
}

}  // namespace offhook::call
