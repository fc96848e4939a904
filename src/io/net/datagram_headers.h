#pragma once
// IP and UDP headers of a datagram that no socket of its own sends (RFC 791, RFC 8200, RFC 768).

#include <cstddef>
#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"

namespace offhook::io {

// An IPv6 header and a UDP one.
inline constexpr std::size_t kDatagramHeaderBytesLimit = 48;
inline constexpr std::size_t kUdpHeaderBytes = 8;
inline std::size_t datagram_header_bytes(Family family) {
  return kUdpHeaderBytes + (family == Family::ipv4 ? 20U : 40U);
}

struct DatagramOptions {
  std::uint8_t hop_limit = 64;
  // Of IPv4, should the datagram be cut on its way: it is sent without DF, as relay sockets send.
  std::uint16_t identification = 0;
};

// Requires kDatagramHeaderBytesLimit bytes of `space`, and both addresses of one family. Returns how many it
// wrote: datagram_header_bytes(). All checksums are final.
std::size_t write_datagram_headers(MutableBytes space, const Address& from, const Address& to, Bytes payload,
                                   const DatagramOptions& options);

// The machine's default hop limit (IPv4: time to live).
std::uint8_t default_hop_limit(Family family);

}  // namespace offhook::io
