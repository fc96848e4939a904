// The rules that hold between any two inputs, for tests and fuzzers.

#include <algorithm>
#include <set>

#include "core/turn/allocations.h"
#include "wire/turn/channel_data.h"

namespace offhook::turn {
namespace {

std::string_view broken_rule_of_channels(const Allocation& allocation) {
  std::set<std::uint16_t> numbers;
  std::set<Address> peers;
  for (const Channel& channel : allocation.channels) {
    const Address peer_address = channel.peer.on_wire();
    if (!is_channel_number(channel.number)) return "a channel has a valid number";
    if (!numbers.insert(channel.number).second) return "a channel number is bound once";
    if (!peers.insert(peer_address).second) return "a peer address is bound once";
    if (!allocation.relays_family(peer_address.family())) return "a channel's family has an open relay";
    const Permission* permission = allocation.find_permission(peer_address.ip);
    const Instant permitted_until = permission == nullptr ? Instant{} : permission->expires_at;
    // A revoked allocation's routes go when its turn comes.
    const Instant allocated_until =
        allocation.is_revoked ? kNever : allocation.relay(peer_address.family()).expires_at;
    const Instant until = std::min({channel.expires_at, permitted_until, allocated_until});
    if (channel.route_expires_at > until) return "a route ends with its channel, permission and allocation";
  }
  return {};
}

std::string_view broken_rule_of_relays(const Allocation& allocation) {
  Instant last;
  for (const Relay& relay : allocation.relays) {
    if (relay.state == Relay::State::opening || relay.state == Relay::State::open) {
      last = std::max(last, relay.expires_at);
    }
  }
  if (allocation.expires_at != last) return "an allocation expires with its last relayed address";
  std::set<Address> ends;
  for (const Hop& hop : allocation.hops) {
    if (!ends.insert(hop.relayed_address).second) return "a peer is the end of one hop";
    if (!allocation.relays_family(hop.relayed_address.family())) return "a hop's family has an open relay";
  }
  if (allocation.hops.size() > kHopsLimit) return "no more hops than the limit";
  return {};
}

std::string_view broken_rule(const Allocation& allocation) {
  if (const auto rule = broken_rule_of_relays(allocation); !rule.empty()) return rule;
  std::set<Ip> ips;
  for (const Permission& permission : allocation.permissions) {
    const Ip ip = permission.ip.on_wire();
    if (!ips.insert(ip).second) return "an IP address has one permission";
    if (!allocation.relays_family(ip.family())) return "a permission's family has an open relay";
  }
  const bool opening = allocation.any_relay_in(Relay::State::opening);
  if (opening == allocation.is_live()) return "an allocation is pending exactly while a relay is opening";
  if (allocation.is_live() && !allocation.any_relay_in(Relay::State::open))
    return "a live allocation has a relay";
  if (allocation.is_live() == allocation.answer.empty()) return "a live allocation has its answer";
  if (allocation.deadline != allocation.next_event()) return "an allocation's deadline is its earliest event";
  return broken_rule_of_channels(allocation);
}

}  // namespace

std::string_view Allocations::broken_invariant() {
  std::string_view broken;
  allocations_.for_each([&](AllocationId id, Allocation& allocation) {
    if (allocation.id != id || find(allocation.client.five_tuple) != &allocation) {
      broken = "a five-tuple finds its allocation";
    }
    if (!is_listed(allocation)) broken = "a user has its allocations";
    if (const auto rule = broken_rule(allocation); !rule.empty()) broken = rule;
  });
  std::size_t listed = 0;
  for (const auto& [user, of_user] : allocations_by_user_) listed += of_user.size();
  if (listed != allocations_.size()) return "no more allocations listed than there are";
  std::size_t reservation_deadlines = 0;
  reservations_.for_each([&](SlabId, Reservation& reservation) {
    if (!reservation.is_pending) reservation_deadlines += 1;
  });
  const std::size_t deletion_deadlines = deletions_.empty() ? 0 : 1;
  if (allocations_by_five_tuple_.size() != allocations_.size()) return "as many five-tuples as allocations";
  if (deletions_by_five_tuple_.size() != deletions_.size()) return "as many five-tuples as deletions";
  if (deletions_.size() > kDeletionsLimit) return "no more deletions than the limit";
  if (reservations_.size() > kReservationsLimit) return "no more reservations than the limit";
  if (deadlines_.size() != allocations_.size() + reservation_deadlines + deletion_deadlines) {
    return "a deadline for each allocation, each reservation and the deletions";
  }
  return broken;
}

}  // namespace offhook::turn
