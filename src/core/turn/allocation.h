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
#include "core/turn/permission.h"
#include "core/turn/quota_lease.h"
#include "core/turn/reply.h"
#include "core/turn/types.h"

namespace offhook::turn {

struct Relay {
  // closed: its family alone was deleted by a Refresh request.
  enum class State : std::uint8_t { absent, opening, open, failed, closed };
  State state = State::absent;
  Address address;  // as bound
};

// What an opening allocation needs and a live one does not.
struct PendingAllocate {
  ReplyTo reply_to;
  std::chrono::seconds lifetime{};
  std::optional<ReservationToken> reserves;   // EVEN-PORT with R: the token of the next port
  std::optional<ReservationToken> claims;     // RESERVATION-TOKEN
  std::array<stun::ErrorCode, 2> failures{};  // by family, where Relay::State is failed
};

class Allocation {
 public:
  Allocation(const Client& to, const stun::TransactionId& allocate_id, Owner of, QuotaLease lease)
      : client(to), transaction_id(allocate_id), owner(std::move(of)), quota(std::move(lease)) {}

  bool is_live() const { return pending == nullptr; }
  bool live_at(Instant now) const { return is_live() && now < expires_at; }

  Relay& relay(Family family) { return relays[family == Family::ipv4 ? 0 : 1]; }
  const Relay& relay(Family family) const { return relays[family == Family::ipv4 ? 0 : 1]; }
  bool relays_family(Family family) const { return relay(family).state == Relay::State::open; }
  bool any_relay_in(Relay::State state) const { return relays[0].state == state || relays[1].state == state; }

  // By the address on the wire. They look at no expiry.
  const Permission* find_permission(const Ip& on_wire) const;
  const Channel* find_channel(const Address& on_wire) const;
  const Channel* find_channel(std::uint16_t number) const;
  // The peer of a permission that lives; nothing otherwise.
  const AllowedIp* permitted(const Ip& on_wire, Instant now) const;

  void install_permission(const AllowedIp& ip, Instant expires_at_);
  void bind_channel(const AllowedPeer& peer, std::uint16_t number, Instant expires_at_);

  // Removes what has expired, the allocation itself apart. Appends RemoveRoute for channels.
  void remove_expired(Instant now, Outbox& outbox);
  // Closes the relay socket of one family, with its permissions and channels.
  void close_relay(Family family, Outbox& outbox);
  // Brings route_expires_at of each channel up to date; appends InstallRoute where it changed, and for the
  // channel just bound.
  void update_routes(std::optional<std::uint16_t> bound, Outbox& outbox);
  // RemoveRoute and CloseRelaySocket for everything that is open.
  void close_everything(Outbox& outbox) const;

  // The earliest event: its own expiry, or that of a permission or channel.
  Instant next_event() const;

  AllocationId id;
  Client client;
  stun::TransactionId transaction_id;  // of the Allocate request
  Owner owner;
  QuotaLease quota;
  Instant expires_at;
  bool is_revoked = false;    // it ends by decision, not by age
  Instant deadline = kNever;  // what the table's heap holds for it
  std::array<Relay, 2> relays;
  std::vector<Permission> permissions;
  std::vector<Channel> channels;
  Buffer answer;
  std::unique_ptr<PendingAllocate> pending;
};

}  // namespace offhook::turn
