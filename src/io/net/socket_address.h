#pragma once
// The one place where the kernel's socket addresses become Address and back.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

#include "base/address.h"

namespace offhook::io {

// Room for the families that we speak; sockaddr_storage is four times as large.
union SocketAddress {
  sockaddr any;
  sockaddr_in ipv4;
  sockaddr_in6 ipv6;
};

// Returns the length that the kernel wants beside it.
inline socklen_t to_socket_address(const Address& address, SocketAddress& target) {
  const Bytes octets = address.ip.octets();
  if (address.ip.is_v4()) {
    target.ipv4 = {};
    target.ipv4.sin_family = AF_INET;
    target.ipv4.sin_port = htons(address.port);
    std::memcpy(&target.ipv4.sin_addr, octets.data(), 4);
    return sizeof target.ipv4;
  }
  target.ipv6 = {};
  target.ipv6.sin6_family = AF_INET6;
  target.ipv6.sin6_port = htons(address.port);
  std::memcpy(&target.ipv6.sin6_addr, octets.data(), 16);
  return sizeof target.ipv6;
}

// Nothing for other families. Scope ids are dropped: link-local addresses are no peers.
inline std::optional<Address> to_address(const SocketAddress& source) {
  if (source.any.sa_family == AF_INET) {
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &source.ipv4.sin_addr, 4);
    return Address{Ip::v4(octets), ntohs(source.ipv4.sin_port)};
  }
  if (source.any.sa_family == AF_INET6) {
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &source.ipv6.sin6_addr, 16);
    return Address{Ip::v6(octets), ntohs(source.ipv6.sin6_port)};
  }
  return std::nullopt;
}

inline int domain_of(Family family) { return family == Family::ipv4 ? AF_INET : AF_INET6; }

}  // namespace offhook::io
