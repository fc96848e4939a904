#pragma once
// An allocation (RFC 8656 section 6): one or two relay sockets, and what may pass through them.
//
//   opening   its relay sockets are being opened; `pending` says how to answer the Allocate request
//   live      answered; `answer` is what a retransmitted Allocate request gets
//
// An allocation that ends is erased at once, so there is no third state.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/turn/channel.h"
#include "core/turn/owner.h"
#include "core/turn/payload_limit.h"
#include "core/turn/permission.h"
#include "core/turn/quota_lease.h"
#include "core/turn/reply.h"
#include "core/turn/types.h"

namespace offhook::turn {

struct Relay {
  // closed: its family alone was deleted by a Refresh request, or has expired.
  enum class State : std::uint8_t { absent, opening, open, failed, closed };
  State state = State::absent;
  Address address;                // as bound
  std::uint32_t incarnation = 0;  // of that address
  Instant expires_at;             // each has its own (RFC 8656 section 7.2), and they may part
};

// What an opening allocation needs and a live one does not.
struct PendingAllocate {
  ReplyTo reply_to;
  std::chrono::seconds lifetime{};
  std::optional<ReservationToken> reserves;   // EVEN-PORT with R: the token of the next port
  std::optional<ReservationToken> claims;     // RESERVATION-TOKEN
  std::array<stun::ErrorCode, 2> failures{};  // by family, where Relay::State is failed
};

// Hops that an allocation can use. One pair of candidates carries a call; a few more are bound on the way.
inline constexpr std::size_t kHopsLimit = 16;

class Allocation {
 public:
  Allocation(const Client& to, const stun::TransactionId& allocate_id, Owner of, QuotaLease lease)
      : client(to), transaction_id(allocate_id), owner(std::move(of)), quota(std::move(lease)) {}

  bool is_live() const { return pending == nullptr; }
  bool live_at(Instant now) const { return is_live() && now < expires_at; }

  Relay& relay(Family family) { return relays[family == Family::ipv4 ? 0 : 1]; }
  const Relay& relay(Family family) const { return relays[family == Family::ipv4 ? 0 : 1]; }
  bool relays_family(Family family) const { return relay(family).state == Relay::State::open; }
  bool relays_at(Family family, Instant now) const {
    return relays_family(family) && now < relay(family).expires_at;
  }
  bool any_relay_in(Relay::State state) const { return relays[0].state == state || relays[1].state == state; }

  // By the address on the wire. They look at no expiry.
  const Permission* find_permission(const Ip& on_wire) const;
  const Channel* find_channel(const Address& on_wire) const;
  const Channel* find_channel(std::uint16_t number) const;
  // The peer of a permission that lives; nothing otherwise.
  const AllowedIp* permitted(const Ip& on_wire, Instant now) const;

  // All relayed addresses, or this one alone.
  void expire_at(Instant when);
  void expire_at(Family family, Instant when);

  // As the client asks. Never shortens a permission.
  void install_permission(const AllowedIp& ip, Instant expires_at_);
  // While a call lasts.
  void introduce_permission(const AllowedIp& ip);
  // Permissions that the client asked for and that live; and those that calls introduce, asked for or not.
  std::size_t asked_permissions(Instant now) const;
  std::size_t introduced_permissions() const;
  bool has_asked_for(const Ip& on_wire, Instant now) const;
  void bind_channel(const AllowedPeer& peer, std::uint16_t number, bool leads_to_relay, Instant expires_at_);

  // A full table drops a hop that no channel of ours leads to, for anybody can bind a channel to us.
  void install_hop(const Hop& hop);
  void remove_hop(const Address& relayed_address, std::uint32_t incarnation);
  const Hop* find_hop(const Address& relayed_address) const;

  // A channel without its permission stays, and has no route until there is one again.
  void remove_expired_permissions(Instant now);
  // Removes what has expired, the allocation itself apart. Appends RemoveRoute for channels, and
  // CloseRelaySocket for one of two relays.
  void remove_expired(Instant now, Outbox& outbox);
  // Closes the relay socket of one family, with its permissions and channels.
  void close_relay(Family family, Outbox& outbox);
  // Brings route_expires_at of each channel up to date; appends InstallRoute where it changed, and for the
  // channel just bound; InstallHop with it.
  void update_routes(std::optional<std::uint16_t> bound, Outbox& outbox);
  // RemoveRoute and CloseRelaySocket for everything that is open.
  void close_everything(Outbox& outbox) const;

  // The earliest event: the expiry of a relay, permission or channel.
  Instant next_event() const;

  // What each packet looks at stands together: thousands of allocations do not fit into a cache.
  std::unique_ptr<PendingAllocate> pending;
  Instant expires_at;  // of its last relayed address; expire_at() sets it
  std::vector<Channel> channels;
  Client client;
  AllocationId id;
  PayloadLimit to_peers;
  PayloadLimit to_client;
  std::array<Relay, 2> relays;
  std::vector<Permission> permissions;
  std::vector<Hop> hops;
  stun::TransactionId transaction_id;  // of the Allocate request
  Owner owner;
  QuotaLease quota;
  std::size_t user_position = 0;  // in the table's index by user
  bool is_revoked = false;        // it ends by decision, not by age
  Instant deadline = kNever;      // what the table's heap holds for it
  Buffer answer;

 private:
  bool counts(Family family) const;
  void remove_route(const Channel& channel, Outbox& outbox) const;
};

}  // namespace offhook::turn
