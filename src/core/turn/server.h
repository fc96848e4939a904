#pragma once
// The TURN server of one shard (RFC 8489, RFC 8656), sans-IO: inputs and `now` in, effects out. No clock, no
// lock, no socket; randomness, credentials, quota and the list of live relayed addresses are injected.
//
// Single-threaded: one shard owns one server. Owns its allocations; borrows its Dependencies, which must
// outlive it.

#include <memory>
#include <string_view>

#include "base/random.h"
#include "core/turn/ports.h"
#include "core/turn/settings.h"
#include "core/turn/types.h"

namespace offhook::turn {

struct Shard;

class Server {
 public:
  Server(const Settings& settings, const Dependencies& dependencies);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A datagram, or one frame of a stream, from a client. What must travel on at once is returned (Forward);
  // control answers and everything else go to the outbox. Anything malformed is dropped in silence.
  Forward handle_client_packet(const Client& client, const Packet& packet, const Now& now, Outbox& outbox);
  // A datagram that arrived at a relay socket. The packet needs kHeadroomBytes before and kTailroomBytes
  // behind it.
  Forward handle_peer_packet(const RelayId& relay, const Address& peer_address, const Packet& packet,
                             const Now& now);
  // An ICMP error that a packet sent from this relay socket drew (RFC 8656 section 11.5).
  void handle_peer_icmp(const RelayId& relay, const Address& peer_address, std::uint8_t type,
                        std::uint8_t code, std::uint32_t error_data, const Now& now, Outbox& outbox);
  // The stream of this client closed: its allocation goes with it.
  void handle_client_closed(const Client& client, const Now& now, Outbox& outbox);

  // Answers to OpenRelaySocket and ClaimReservation. An allocation that ended meanwhile gets
  // CloseRelaySocket.
  void handle_relay_opened(const RelayId& relay, const Address& relayed_address, const Now& now,
                           Outbox& outbox);
  enum class RelayFailure : std::uint8_t { no_port_free, family_not_supported, reservation_unknown };
  void handle_relay_failed(const RelayId& relay, RelayFailure failure, const Now& now, Outbox& outbox);

  // A call has passed this address to the user as a candidate of the other party. Every allocation of the
  // user, now and later, permits its IP address as long as the call lives, if the gate lets it. False if a
  // limit of introductions.h is reached.
  bool handle_peer_introduced(std::string_view user, std::string_view call, const Address& peer_address,
                              const Now& now, Outbox& outbox);
  // What the call alone had introduced ends as any permission does that is not refreshed.
  void handle_call_over(std::string_view call, const Now& now, Outbox& outbox);

  // What another server of the process, or this one, said with InstallHop and RemoveHop; `relay` is the one
  // that has their `from`.
  void handle_hop_installed(const RelayId& relay, const Hop& hop);
  void handle_hop_removed(const RelayId& relay, const Address& relayed_address, std::uint32_t incarnation);

  // Every allocation made under this username, or counted for this user, expires at once: nothing passes here
  // any more. handle_deadlines ends them, and only then come their RemoveRoute and CloseRelaySocket.
  void revoke(std::string_view username, const Now& now);

  // A bounded part of what is due: call it again while next_deadline() is not in the future.
  void handle_deadlines(const Now& now, Outbox& outbox);
  // When handle_deadlines has work next; kNever if it has none.
  Instant next_deadline() const;

  std::size_t allocation_count() const;
  // The first rule that the tables break, in words; empty if none. Looks at everything: for tests.
  std::string_view broken_invariant() const;

 private:
  std::unique_ptr<Shard> shard_;
};

}  // namespace offhook::turn
