#pragma once
// The relay sockets of one shard, by the RelayId that the core gave them. Single-threaded.

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "core/turn/server.h"
#include "io/loop/poller.h"
#include "service/relay/event_tag.h"
#include "service/relay/relay_ports.h"
#include "service/relay/reservation_table.h"

namespace offhook::relay {

// Which addresses may carry the relay socket of a client: all of the family (`fixed`), or the one that the
// client reached.
enum class RelayAddressRule : std::uint8_t { fixed, by_listen_address };

class RelaySockets {
 public:
  struct Borrowed {
    RelayPorts& ports;
    ReservationTable& reservations;
    Random& random;
    io::Poller& poller;
  };
  RelaySockets(const Borrowed& borrowed, RelayAddressRule rule, unsigned shard);

  // The relayed address that the socket is bound to and watched at.
  using Outcome = Result<Address, turn::Server::RelayFailure>;
  Outcome open(const turn::OpenRelaySocket& effect);
  Outcome claim(const turn::ClaimReservation& effect);
  void close(const turn::RelayId& relay);
  // All of them, in the thread that opened them: nowhere else do the descriptors mean anything.
  void close_all();

  // Null if it is closed or was never open.
  const io::Socket* find(const turn::RelayId& relay) const;
  std::optional<turn::RelayId> find(const EventTag& tag) const;
  // The poller tells of each thing once (io::Interest::once): a relay with more to take than a round does is
  // left for a later one. Each is in line once.
  struct Unfinished {
    EventTag tag;
    bool with_errors = false;
  };
  void leave(const EventTag& tag, bool with_errors);
  std::size_t unfinished_count() const { return unfinished_.size(); }
  // The one that has waited longest; it may be gone. Requires one.
  Unfinished take_unfinished();
  // With one socket for all relays of the shard (shared_receive.h): how much of what that of the family may
  // hold was in use after the shard had taken its turn.
  void note_shared_queue(Family family, unsigned percent_full);
  // A datagram of that queue was for this relay. From the next one on it receives with its own socket for a
  // while, if it takes more than its share of the queue, so that a flood at one relayed address fills one
  // queue; or if the shard does not keep pace, because what waits in sockets of their own is taken and sent
  // together, for each client. Those that still wait in the queue of all may be overtaken. True if that has
  // begun now.
  bool note_shared(const turn::RelayId& relay, std::size_t bytes, Instant now);
  // The relay's own socket is empty: whether from now on it receives with that of all again. Then look at its
  // own once more, for what came in between is older than what comes there.
  bool share_again(const turn::RelayId& relay, Instant now);
  // Of a relay that is open.
  Address relayed_address(const turn::RelayId& relay) const;
  std::size_t size() const { return size_; }
  // Why the last open() failed, if the system was the cause: an errno, otherwise 0.
  int last_error() const { return last_error_; }

 private:
  static constexpr Instant kShares{};
  struct Relay {
    std::uint32_t generation = 0;
    bool is_unfinished = false;
    bool has_errors_left = false;
    Instant alone_until = kShares;  // its own socket receives, not that of all, at least until then
    // What has come through the socket of all within this tick.
    std::uint32_t tick = 0;
    std::uint32_t datagrams = 0;
    std::size_t bytes = 0;
    std::optional<LeasedSocket> leased;
  };

  std::vector<std::size_t> choices(const Ip& listen_ip, Family family) const;
  std::optional<LeasedSocket> open_at(std::size_t address_index, const turn::OpenRelaySocket& effect);
  std::optional<LeasedSocket> open_pair_at(std::size_t address_index, const turn::ReservationToken& token);
  Outcome watch(const turn::RelayId& relay, LeasedSocket leased);
  static std::size_t position(std::uint32_t index, Family family) {
    return std::size_t{index} * 2 + (family == Family::ipv6 ? 1 : 0);
  }

  Borrowed borrowed_;
  RelayAddressRule rule_;
  unsigned shard_;
  std::vector<Relay> relays_;  // two an allocation, one a family
  std::deque<EventTag> unfinished_;
  std::array<unsigned, 2> shared_percent_full_{};  // a family
  std::size_t size_ = 0;
  std::size_t turn_ = 0;  // whose turn it is among several addresses
  int last_error_ = 0;
};

}  // namespace offhook::relay
