#pragma once
// What the relay counts. Each shard writes its own set; anyone may read.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace offhook::relay {

enum class Counter : std::uint8_t {
  // Datagrams and frames, payload bytes as received or sent.
  packets_from_clients,
  bytes_from_clients,
  packets_to_clients,
  bytes_to_clients,
  packets_from_peers,
  bytes_from_peers,
  packets_to_peers,
  bytes_to_peers,
  packets_hopped,  // of those to clients: from another client here, past both relay sockets
  // Of all those: by the fast path, which counts a packet between two clients here as through both relay
  // sockets.
  packets_routed,
  routes_refused,  // channels for which the fast path had no room
  // Allocations; the first is how many there are now, the others how many there ever were.
  allocations_live,
  allocations_created,
  allocations_refreshed,
  allocations_deleted,
  allocations_expired,
  // Requests refused, by reason.
  refused_credentials,
  refused_peer,
  refused_quota,
  refused_capacity,
  refused_introductions,  // a limit of calls or addresses of a user was reached
  // Media lost here, by reason.
  dropped_from_peer,         // no permission, or nobody to give it to
  dropped_over_limit,        // more than an allocation may relay a second
  dropped_by_kernel_send,    // the kernel did not take a datagram
  dropped_by_stream_queue,   // a stream client reads too slowly
  dropped_by_receive_queue,  // the buffer of a listening socket or of the relay ports' was full
  relays_alone,  // relayed addresses that were moved to their own sockets: flooded, or the shard did not keep
                 // pace
  // Streams; the first is how many there are now.
  connections_live,
  connections_accepted,
  connections_refused,    // a limit of connections without allocation was reached
  connections_timed_out,  // no allocation, or a frame that never ended
  tls_handshakes,         // that succeeded
  tls_handshakes_failed,
  http_connections,  // handed over
  icmp_errors,
  mailbox_overflows,  // orders to a shard that did not fit
};
inline constexpr std::size_t kCounters = static_cast<std::size_t>(Counter::mailbox_overflows) + 1;
// "packets_from_clients"
std::string_view name(Counter counter);

// A snapshot.
class RelayCounters {
 public:
  std::uint64_t operator[](Counter counter) const { return values_[static_cast<std::size_t>(counter)]; }
  void add(Counter counter, std::uint64_t value) { values_[static_cast<std::size_t>(counter)] += value; }

 private:
  std::array<std::uint64_t, kCounters> values_{};
};

// The counters of one shard: one thread writes, so that no write needs a locked instruction.
class alignas(64) ShardCounters {
 public:
  void add(Counter counter, std::uint64_t value = 1) {
    std::atomic<std::uint64_t>& cell = cells_[static_cast<std::size_t>(counter)];
    cell.store(cell.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  void set(Counter counter, std::uint64_t value) {
    cells_[static_cast<std::size_t>(counter)].store(value, std::memory_order_relaxed);
  }
  void add_to(RelayCounters& sum) const {
    for (std::size_t i = 0; i < kCounters; ++i) {
      sum.add(static_cast<Counter>(i), cells_[i].load(std::memory_order_relaxed));
    }
  }

 private:
  std::array<std::atomic<std::uint64_t>, kCounters> cells_{};
};

}  // namespace offhook::relay
