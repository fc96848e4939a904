#pragma once
// Sockets that EVEN-PORT reserved (RFC 8656 section 7.2), over every shard: the client that claims one may
// have landed in another shard. Any thread may call; only set-up does.

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>

#include "core/turn/types.h"
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
  // A reservation lives 30 s, so this is 136 of them a second.
  static constexpr std::size_t kReservationsLimit = 4096;

  // False if the table is full; the socket is then closed.
  [[nodiscard]] bool hold(const turn::ReservationToken& token, LeasedSocket reserved);
  // Nothing if the token is unknown, was claimed, or was released.
  std::optional<LeasedSocket> claim(const turn::ReservationToken& token);
  void release(const turn::ReservationToken& token) { (void)claim(token); }

 private:
  std::mutex mutex_;
  std::map<turn::ReservationToken, LeasedSocket> reserved_by_token_;
};

}  // namespace offhook::relay
