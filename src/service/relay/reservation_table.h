#pragma once
// Sockets that EVEN-PORT reserved (RFC 8656 section 7.2), over every shard: the client that claims one may
// have landed in another shard, whose table of descriptors is its own. Any thread may call; only set-up does.

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/turn/types.h"
#include "io/net/descriptor_queue.h"
#include "io/net/socket.h"
#include "service/relay/relay_ports.h"

namespace offhook::relay {

// A bound relay socket and the lease of its port. The lease goes last: the port must be closed before it is
// free.
struct LeasedSocket {
  PortLease lease;
  io::Socket socket;

  LeasedSocket() = default;
  LeasedSocket(PortLease the_lease, io::Socket the_socket)
      : lease(std::move(the_lease)), socket(std::move(the_socket)) {}
  LeasedSocket(LeasedSocket&&) noexcept = default;
  LeasedSocket& operator=(LeasedSocket&&) = delete;
};

class ReservationTable {
 public:
  // A claim passes over every older reservation with two system calls each, so that this many cost it at most
  // a millisecond. They also fit the socket buffer that Linux grants everyone. A reservation lives 30 s: this
  // is 17 of them a second, and only clients of RTP without multiplexing ask for any.
  static constexpr std::size_t kReservationsLimit = 512;

  ReservationTable() : sockets_(kReservationsLimit) {}

  // False if the table is full; the socket is then closed.
  [[nodiscard]] bool hold(const turn::ReservationToken& token, LeasedSocket reserved);
  // Nothing if the token is unknown, was claimed, or was released. Also if the calling shard is out of
  // descriptors; reservations that it could not take up are then lost.
  std::optional<LeasedSocket> claim(const turn::ReservationToken& token);
  void release(const turn::ReservationToken& token) { (void)claim(token); }

  // What a shard must keep in its table of descriptors.
  std::vector<int> fds() const { return sockets_.fds(); }

 private:
  struct Reserved {
    PortLease lease;
    std::uint64_t label = 0;  // its socket's in sockets_
  };
  void pass_over(io::DescriptorQueue::Labelled older);

  std::mutex mutex_;
  std::uint64_t next_label_ = 0;
  std::map<turn::ReservationToken, Reserved> reserved_by_token_;
  io::DescriptorQueue sockets_;  // after the leases, so that it closes before them
};

}  // namespace offhook::relay
