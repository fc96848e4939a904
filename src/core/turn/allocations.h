#pragma once
// The table of allocations, reservations and recent deletions, with one heap of deadlines.

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/deadline_heap.h"
#include "base/random.h"
#include "base/slab.h"
#include "base/slab_index.h"
#include "core/turn/allocation.h"
#include "core/turn/deletion.h"
#include "core/turn/five_tuple_hash.h"
#include "core/turn/reservation.h"

namespace offhook::turn {

// An allocation has one deadline, its earliest event; so has a reservation; the deletions together have one.
struct DeadlineKey {
  enum class Of : std::uint8_t { allocation, reservation, oldest_deletion };
  Of of = Of::allocation;
  SlabId id;
  bool operator==(const DeadlineKey&) const = default;
};
struct DeadlineKeyHash {
  std::size_t operator()(const DeadlineKey& key) const {
    return std::hash<SlabId>{}(key.id) * 3 + static_cast<std::size_t>(key.of);
  }
};

// Handled in one turn. Thousands may fall due together (a revoked user, a burst of calls an hour ago), each
// with sockets to close: packets wait for no more than this many, about a millisecond.
inline constexpr std::size_t kDeadlinesLimit = 256;

class Allocations {
 public:
  explicit Allocations(Random& random)
      : five_tuple_hash_{random.next_u64()}, deletions_by_five_tuple_(0, FiveTupleHash{random.next_u64()}) {}

  // Pointers stay valid until that allocation ends.
  Allocation* find(AllocationId id) { return allocations_.find(id); }
  Allocation* find(const FiveTuple& five_tuple);
  // No allocation has this five-tuple. Call schedule() once it has its expiry.
  Allocation& create(const Client& client, const stun::TransactionId& transaction_id, Owner owner,
                     QuotaLease quota);
  template <typename Visit>
  void for_each_of(std::string_view user, Visit visit) {
    const auto found = allocations_by_user_.find(user);
    if (found == allocations_by_user_.end()) return;
    for (const AllocationId id : found->second) visit(*allocations_.find(id));
  }
  template <typename Visit>
  void for_each(Visit visit) {
    allocations_.for_each([&](AllocationId, Allocation& allocation) { visit(allocation); });
  }
  // Removes what has expired; null if that is the allocation itself.
  Allocation* settle(Allocation& allocation, Instant now, Outbox& outbox);
  // Brings the deadline up to date after a change.
  void schedule(Allocation& allocation);
  // Closes and erases it, and gives its quota back. The event is audited, if there is one.
  void end(Allocation& allocation, std::optional<AuditEvent> event, Outbox& outbox);
  // They expire at once; handle_deadlines() ends them in its turns.
  void revoke_all_of(std::string_view username, Instant now);

  // Neither the shard's reservations nor this user's are at their limit.
  bool may_reserve(std::string_view user);
  // After may_reserve().
  void reserve(std::string_view user, const ReservationToken& token, const RelayId& next_to);
  // Its port is an allocation's now, and counts there. Another shard's reservation is none of ours.
  void reservation_claimed(const ReservationToken& token);
  // That relay has opened; or never will; or has, but its allocation has not lived to see it.
  void reservation_opened(const RelayId& next_to, Instant now);
  void reservation_failed(const RelayId& next_to);
  void reservation_orphaned(const RelayId& next_to, Outbox& outbox);

  // The latest of a five-tuple is kept.
  void remember_deletion(Deletion deletion, Instant now);
  const Deletion* recent_deletion(const FiveTuple& five_tuple) const;

  // At most kDeadlinesLimit of what is due; next_deadline() stays in the past while more is.
  void handle_deadlines(Instant now, Outbox& outbox);
  Instant next_deadline() const { return deadlines_.next(); }
  std::size_t size() const { return allocations_.size(); }

  // The first rule that the tables break, in words; empty if none. Looks at everything: for tests.
  std::string_view broken_invariant();

 private:
  void remove_from_user(const Allocation& allocation);
  bool is_listed(const Allocation& allocation) const;
  void forget_oldest_deletion();
  template <typename Visit>
  void for_pending_reservation(const RelayId& next_to, Visit visit);

  Slab<Allocation> allocations_;
  FiveTupleHash five_tuple_hash_;
  SlabIndex allocations_by_five_tuple_;
  std::map<std::string, std::vector<AllocationId>, std::less<>> allocations_by_user_;
  Slab<Reservation> reservations_;
  std::list<Deletion>
      deletions_;  // the oldest first; all have one lifetime, so it is the first to be forgotten
  std::unordered_map<FiveTuple, std::list<Deletion>::iterator, FiveTupleHash> deletions_by_five_tuple_;
  DeadlineHeap<DeadlineKey, DeadlineKeyHash> deadlines_;
};

}  // namespace offhook::turn
