#pragma once
// A raw socket that hears the ICMP errors of all datagrams that this machine has sent. For ports that the
// kernel finds by socket lookup (io/fastpath/socket_lookup.h): it would give the errors to the socket that
// receives, which does not know which port had sent.

#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "io/net/socket.h"

namespace offhook::io {

// No error quotes so much that it is longer (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4).
inline constexpr std::size_t kIcmpBytesLimit = 2048;

// Takes CAP_NET_RAW; an errno. It hears what a UDP socket would be told of, and no echo; and of that what
// passes a program for socket filters, as SocketLookup::icmp_filter_fd() has one.
Result<Socket, int> open_icmp_socket(Family family, int filter_fd);

// The next message, in `buffer`: of IPv4 with its IP header. Empty if it was longer than the buffer. Nothing
// if none waits.
std::optional<Bytes> take_icmp_message(const Socket& socket, MutableBytes buffer);

}  // namespace offhook::io
