#include "core/turn/allocations.h"

#include <algorithm>
#include <cassert>
#include <string>

namespace offhook::turn {
namespace {

DeadlineKey allocation_key(SlabId id) { return {DeadlineKey::Of::allocation, id}; }
DeadlineKey reservation_key(SlabId id) { return {DeadlineKey::Of::reservation, id}; }
constexpr DeadlineKey kDeletionKey{DeadlineKey::Of::oldest_deletion, {}};

}  // namespace

Allocation* Allocations::find(const FiveTuple& five_tuple) {
  return allocations_.find(allocations_by_five_tuple_.find(
      five_tuple_hash_(five_tuple),
      [&](AllocationId id) { return allocations_.find(id)->client.five_tuple == five_tuple; }));
}

Allocation& Allocations::create(const Client& client, const stun::TransactionId& transaction_id, Owner owner,
                                QuotaLease quota) {
  assert(find(client.five_tuple) == nullptr);
  const AllocationId id = allocations_.emplace(client, transaction_id, std::move(owner), std::move(quota));
  allocations_by_five_tuple_.insert(five_tuple_hash_(client.five_tuple), id);
  Allocation& allocation = *allocations_.find(id);
  allocation.id = id;
  std::vector<AllocationId>& of_user = allocations_by_user_[allocation.quota.user()];
  allocation.user_position = of_user.size();
  of_user.push_back(id);
  return allocation;
}

void Allocations::remove_from_user(const Allocation& allocation) {
  const auto found = allocations_by_user_.find(allocation.quota.user());
  std::vector<AllocationId>& of_user = found->second;
  of_user[allocation.user_position] = of_user.back();
  allocations_.find(of_user.back())->user_position = allocation.user_position;
  of_user.pop_back();
  if (of_user.empty()) allocations_by_user_.erase(found);
}

bool Allocations::is_listed(const Allocation& allocation) const {
  const auto found = allocations_by_user_.find(allocation.quota.user());
  return found != allocations_by_user_.end() && allocation.user_position < found->second.size() &&
         found->second[allocation.user_position] == allocation.id;
}

Allocation* Allocations::settle(Allocation& allocation, Instant now, Outbox& outbox) {
  if (allocation.expires_at <= now) {
    const bool is_revoked = allocation.is_revoked;
    end(allocation, is_revoked ? AuditEvent::allocation_deleted : AuditEvent::allocation_expired, outbox);
    return nullptr;
  }
  if (allocation.deadline > now) return &allocation;
  allocation.remove_expired(now, outbox);
  schedule(allocation);
  return &allocation;
}

void Allocations::schedule(Allocation& allocation) {
  const Instant deadline = allocation.next_event();
  if (deadline == allocation.deadline) return;
  allocation.deadline = deadline;
  deadlines_.set(allocation_key(allocation.id), deadline);
}

void Allocations::end(Allocation& allocation, std::optional<AuditEvent> event, Outbox& outbox) {
  allocation.close_everything(outbox);
  if (event) {
    Audit audit{*event, allocation.client, allocation.owner.username, {}};
    const Relay& first = allocation.relays_family(Family::ipv4) ? allocation.relays[0] : allocation.relays[1];
    audit.address = first.address;
    outbox.push_back(std::move(audit));
  }
  deadlines_.cancel(allocation_key(allocation.id));
  remove_from_user(allocation);
  allocations_by_five_tuple_.erase(five_tuple_hash_(allocation.client.five_tuple), allocation.id);
  allocations_.erase(allocation.id);
}

void Allocations::revoke_all_of(std::string_view username, Instant now) {
  allocations_.for_each([&](AllocationId, Allocation& allocation) {
    if (allocation.owner.username != username && allocation.quota.user() != username) return;
    allocation.is_revoked = true;
    allocation.expire_at(std::min(allocation.expires_at, now));
    schedule(allocation);
  });
}

bool Allocations::may_reserve(std::string_view user) {
  if (reservations_.size() >= kReservationsLimit) return false;
  std::size_t of_user = 0;
  reservations_.for_each([&](SlabId, const Reservation& reservation) {
    if (reservation.user == user) of_user += 1;
  });
  return of_user < kUserReservationsLimit;
}

void Allocations::reserve(std::string_view user, const ReservationToken& token, const RelayId& next_to) {
  assert(may_reserve(user));
  reservations_.emplace(Reservation{std::string(user), token, next_to, true});
}

void Allocations::reservation_claimed(const ReservationToken& token) {
  reservations_.for_each([&](SlabId id, const Reservation& reservation) {
    if (reservation.token != token) return;
    deadlines_.cancel(reservation_key(id));
    reservations_.erase(id);
  });
}

template <typename Visit>
void Allocations::for_pending_reservation(const RelayId& next_to, Visit visit) {
  reservations_.for_each([&](SlabId id, Reservation& reservation) {
    if (reservation.is_pending && reservation.next_to == next_to) visit(id, reservation);
  });
}

void Allocations::reservation_opened(const RelayId& next_to, Instant now) {
  for_pending_reservation(next_to, [&](SlabId id, Reservation& reservation) {
    reservation.is_pending = false;
    deadlines_.set(reservation_key(id), now + kReservationLifetime);
  });
}

void Allocations::reservation_failed(const RelayId& next_to) {
  for_pending_reservation(next_to, [&](SlabId id, Reservation&) { reservations_.erase(id); });
}

void Allocations::reservation_orphaned(const RelayId& next_to, Outbox& outbox) {
  for_pending_reservation(next_to, [&](SlabId id, Reservation& reservation) {
    outbox.push_back(ReleaseReservation{reservation.token});
    reservations_.erase(id);
  });
}

void Allocations::remember_deletion(Deletion deletion, Instant now) {
  const auto earlier = deletions_by_five_tuple_.find(deletion.five_tuple);
  if (earlier != deletions_by_five_tuple_.end()) {
    deletions_.erase(earlier->second);
    deletions_by_five_tuple_.erase(earlier);
  } else if (deletions_.size() >= kDeletionsLimit) {
    forget_oldest_deletion();
  }
  deletion.forgotten_at = now + kDeletionLifetime;
  deletions_.push_back(std::move(deletion));
  deletions_by_five_tuple_.emplace(deletions_.back().five_tuple, std::prev(deletions_.end()));
  deadlines_.set(kDeletionKey, deletions_.front().forgotten_at);
}

void Allocations::forget_oldest_deletion() {
  deletions_by_five_tuple_.erase(deletions_.front().five_tuple);
  deletions_.pop_front();
}

const Deletion* Allocations::recent_deletion(const FiveTuple& five_tuple) const {
  const auto found = deletions_by_five_tuple_.find(five_tuple);
  return found == deletions_by_five_tuple_.end() ? nullptr : &*found->second;
}

void Allocations::handle_deadlines(Instant now, Outbox& outbox) {
  for (std::size_t handled = 0; handled < kDeadlinesLimit; ++handled) {
    const auto due = deadlines_.pop_due(now);
    if (!due) return;
    switch (due->of) {
      case DeadlineKey::Of::allocation: {
        Allocation& allocation = *allocations_.find(due->id);
        // settle() looks at `deadline`, and schedule() sets the heap only if that changes: the heap has
        // dropped this one, but what follows is always later.
        settle(allocation, now, outbox);
        break;
      }
      case DeadlineKey::Of::reservation:
        outbox.push_back(ReleaseReservation{reservations_.find(due->id)->token});
        reservations_.erase(due->id);
        break;
      case DeadlineKey::Of::oldest_deletion:
        forget_oldest_deletion();
        if (!deletions_.empty()) deadlines_.set(kDeletionKey, deletions_.front().forgotten_at);
        break;
    }
  }
}

}  // namespace offhook::turn
