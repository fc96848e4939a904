#pragma once
// Sockets, opened with the options that their place in the relay asks for. All are non-blocking and
// close-on-exec; IPv6 ones carry IPv6 alone.

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "io/loop/fd.h"
#include "io/net/system_error.h"

namespace offhook::io {

using Socket = Fd;

// A listening UDP socket takes the packets of all clients of a shard: at 1 Gbit/s this is 30 ms of them,
// longer than any pause of the loop. Capped by net.core.rmem_max without CAP_NET_ADMIN.
inline constexpr int kListenBufferBytes = 4 * 1024 * 1024;
// A relay socket takes one client's peers: a burst of video key frames. Used only while packets wait.
inline constexpr int kRelayReceiveBufferBytes = 512 * 1024;
// Connections that wait for accept().
inline constexpr int kListenBacklog = 1024;

enum class PortSharing : std::uint8_t { exclusive, between_shards };

// A UDP socket for clients. With between_shards every shard may bind the same address (SO_REUSEPORT).
Result<Socket, SystemError> open_udp_listener(const Address& address, PortSharing sharing);
Result<Socket, SystemError> open_tcp_listener(const Address& address, PortSharing sharing);
// A relay socket: it fragments rather than obeys a path MTU (RFC 8656 section 14.8 without DF), and collects
// ICMP errors (IP_RECVERR), "fragmentation needed" among them. EADDRINUSE is an everyday answer here.
Result<Socket, int> open_relay_socket(const Address& address);
// A socket of the family that takes datagrams for ports of others, as socket lookup gives them
// (io/fastpath/socket_lookup.h), and tells of each which address it was for (DatagramBatch::destination). Its
// own port is one of the loopback address, which nothing from outside reaches. Of path MTUs it believes what
// relay sockets do.
Result<Socket, int> open_shared_receiver(Family family);
// What a socket may hold on its way out, capped by net.core.wmem_max without CAP_NET_ADMIN.
void set_send_buffer(int fd, int bytes);
// Datagrams of one sender that came in a burst are handed over as one message (UDP_GRO), for DatagramBatch to
// take apart. Without it, on an old kernel, they come one by one.
void take_merged(const Socket& socket);
// Sets or clears DF for what this socket sends next.
bool set_dont_fragment(const Socket& socket, Family family, bool on);

// The next connection, which sends promptly, or an errno: EAGAIN if none waits.
struct Accepted {
  Socket socket;
  Address client_address;
};
Result<Accepted, int> accept_connection(const Socket& listener);
// A TCP socket sends small segments at once (TCP_NODELAY) and, with fewer than four of them on their way,
// repeats the first six times at the same distance rather than at twice the one before
// (TCP_THIN_LINEAR_TIMEOUTS). What a kernel does not know is left out: it is only later then.
void send_promptly(int fd);
// A stream socket takes no more while it holds so much that it has not sent once (TCP_NOTSENT_LOWAT). False
// if it cannot.
bool limit_unsent(const Socket& socket, std::size_t bytes);

// A TCP socket acknowledges what comes together with what goes, or after a few hundred bytes, and at the
// latest after 40 ms, as it does by itself where both sides talk; until nothing has come for so long. Without
// it one that reads at once sends an acknowledgement for each segment, which costs as much as the segment.
void acknowledge_together(const Socket& socket);

// The address that the socket is bound to; nothing if it is no IP socket.
std::optional<Address> bound_address(const Socket& socket);
// Datagrams that the kernel threw away because this socket's buffer was full.
std::uint64_t kernel_drops(int fd);
// How much of what the socket may hold for its reader is in use there, as the kernel counts it: what waits,
// and of datagrams up to a quarter of the whole that has been read. 0 where the kernel does not tell.
unsigned receive_queue_percent(int fd);

// An ICMP error that a datagram of ours drew, from the socket's error queue.
struct IcmpError {
  Address peer_address;  // whom our datagram was for
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t error_data = 0;  // the MTU of "fragmentation needed" and "packet too big"
};
// Takes one entry off the error queue. `more` is false when it was empty; then the pending error is cleared
// too, so that the poller falls silent.
struct ErrorQueueEntry {
  bool more = false;
  std::optional<IcmpError> icmp;  // nothing for errors that no router or peer sent
};
ErrorQueueEntry take_error(const Socket& socket);

}  // namespace offhook::io
