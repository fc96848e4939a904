#pragma once
// The words of the TURN core, as RFC 8656 section 2 and docs/architecture.md ("Names") use them.

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/slab.h"
#include "base/time.h"

namespace offhook::turn {

// Between client and server. TLS is tcp here: it changes no framing, and no two connections share addresses
// and ports.
enum class Transport : std::uint8_t { udp, tcp };

struct FiveTuple {
  Address client_address;
  Address listen_address;
  Transport transport = Transport::udp;
  auto operator<=>(const FiveTuple&) const = default;
};

// How the service reaches a client: the five-tuple, and a handle that the service chose (its listening socket
// or its connection) and gets back untouched.
struct Client {
  FiveTuple five_tuple;
  std::uint32_t handle = 0;
};

using AllocationId = SlabId;
using ReservationToken = std::array<std::uint8_t, 8>;

// One relay socket of an allocation: an allocation has one a family, so at most two.
struct RelayId {
  AllocationId allocation;
  Family family = Family::ipv4;
  auto operator<=>(const RelayId&) const = default;
};

// ---- Effects: what the core asks of its service. Executed in order. ----

// A control message for a client; on streams already framed.
struct SendToClient {
  Client client;
  Buffer bytes;
};
// Open a UDP relay socket on the relay address of this family that belongs to the listen address, at a port
// drawn from the relay range. Answered by handle_relay_opened or handle_relay_failed, at once or later.
struct OpenRelaySocket {
  RelayId relay;
  Address listen_address;     // which of our addresses the client reached
  bool even_port = false;     // EVEN-PORT: the port must be even
  bool reserve_next = false;  // and the next one is held under `token` until claimed or released
  ReservationToken token{};
};
// Open the socket that was reserved under `token`, wherever in the process it is held. Answered as above.
struct ClaimReservation {
  RelayId relay;
  ReservationToken token{};
};
// The reservation's 30 s are over; nothing to do if it was claimed.
struct ReleaseReservation {
  ReservationToken token{};
};
struct CloseRelaySocket {
  RelayId relay;
};
// A bound channel, for a fast path to obey. Without one, these two do nothing.
struct InstallRoute {
  Client client;
  RelayId relay;
  std::uint16_t channel_number = 0;
  Address peer_address;  // as packets on the wire carry it
  Instant expires_at;
};
struct RemoveRoute {
  RelayId relay;
  std::uint16_t channel_number = 0;
};
// The far end of a channel towards a relayed address of this server: whoever sends from that relayed address
// to `relayed_address` reaches this client with one send, past both relay sockets. `expires_at` is the
// end of the channel, its permission or its relayed address, whichever is first. Only when the relayed
// address closes can they end sooner: its incarnation tells, at once and in every shard. Until whoever closes
// it has got so far, the client, or who has its address and port by then, may still get what the relay
// sockets would have lost.
struct Hop {
  Address relayed_address;  // of the client, as bound
  std::uint32_t incarnation = 0;
  Client client;
  std::uint16_t channel_number = 0;
  Instant expires_at;
};
// For whichever shard has `from`, the relayed address that the channel leads to: handle_hop_installed and
// handle_hop_removed. Only speed is lost with them.
struct InstallHop {
  Address from;
  Hop hop;
};
struct RemoveHop {
  Address from;
  Address relayed_address;
  std::uint32_t incarnation = 0;
};
// For the log and the counters.
enum class AuditEvent : std::uint8_t {
  allocation_created,
  allocation_refreshed,
  allocation_deleted,
  allocation_expired,
  credentials_refused,
  peer_refused,
  quota_refused,
  capacity_refused,
};
struct Audit {
  AuditEvent event{};
  Client client;
  std::string username;  // empty before authentication
  Address address;       // the relayed address, or the refused peer
};
using Effect = std::variant<SendToClient, OpenRelaySocket, ClaimReservation, ReleaseReservation,
                            CloseRelaySocket, InstallRoute, RemoveRoute, InstallHop, RemoveHop, Audit>;
using Outbox = std::vector<Effect>;

// ---- The data path: one small value a packet, nothing allocated. ----

// A datagram in a buffer with room before and behind it, so that headers are written in place:
//   | headroom | bytes | tailroom |
inline constexpr std::size_t kHeadroomBytes =
    64;  // Data indication with an IPv6 peer: 20 + 24 + 4, rounded up
inline constexpr std::size_t kTailroomBytes =
    4;  // padding of the last attribute, or of ChannelData on a stream
struct Packet {
  MutableBytes storage;    // all of the buffer
  std::size_t offset = 0;  // where the datagram starts in storage
  std::size_t size = 0;    // of the datagram
  MutableBytes bytes() const { return storage.subspan(offset, size); }
};

struct Forward {
  // hop: to a client, which may be another shard's, past the relay sockets.
  enum class Via : std::uint8_t { nobody, peer, client, hop };
  Via via = Via::nobody;
  bool over_limit = false;     // via nobody: it would have been too much (Settings::payload_bytes_per_s)
  bool dont_fragment = false;  // set DF on this packet (DONT-FRAGMENT in a Send indication)
  RelayId relay;               // via peer: the relay socket to send from
  Address peer_address;        // via peer: where to, as packets on the wire carry it
  Client client;               // via client or hop: whom to
  Bytes bytes;                 // borrows from the packet's storage
};

}  // namespace offhook::turn
