#include "wire/icmp/icmp_error.h"

#include <array>
#include <cstring>

#include "base/internet_checksum.h"

namespace offhook::icmp {
namespace {

// RFC 792.
constexpr std::uint8_t kDestinationUnreachable = 3;
constexpr std::uint8_t kFragmentationNeeded = 4;  // a code of it
constexpr std::uint8_t kTimeExceeded = 11;
constexpr std::uint8_t kParameterProblem = 12;
// RFC 4443 section 3: errors have the types below 128, of which these are assigned to routers and hosts.
constexpr std::uint8_t kFirstErrorV6 = 1;
constexpr std::uint8_t kPacketTooBigV6 = 2;
constexpr std::uint8_t kLastErrorV6 = 4;

constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kFragmentHeader = 44;
constexpr std::size_t kIpv4HeaderBytes = 20;

bool is_error(Family family, std::uint8_t type) {
  if (family == Family::ipv6) return type >= kFirstErrorV6 && type <= kLastErrorV6;
  return type == kDestinationUnreachable || type == kTimeExceeded || type == kParameterProblem;
}

std::uint32_t mtu_of(Family family, std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
  if (family == Family::ipv6) return type == kPacketTooBigV6 ? rest : 0;
  return type == kDestinationUnreachable && code == kFragmentationNeeded ? rest & 0xFFFFU : 0;
}

Ip read_ipv4(Reader& reader) { return Ip::v4(reader.u32()); }

Ip read_ipv6(Reader& reader) {
  std::array<std::uint8_t, 16> octets{};
  const Bytes taken = reader.take(octets.size());
  if (!taken.empty()) std::memcpy(octets.data(), taken.data(), octets.size());
  return Ip::v6(octets);
}

struct Ends {
  Ip source;
  Ip destination;
};

// RFC 791 section 3.1. Nothing if it is no UDP, or a fragment without the ports.
std::optional<Ends> read_quoted_ipv4(Reader& reader) {
  const std::uint8_t version_and_words = reader.u8();
  reader.skip(5);
  const std::uint16_t flags_and_offset = reader.u16();
  reader.skip(1);
  const std::uint8_t protocol = reader.u8();
  reader.skip(2);
  Ends ends;
  ends.source = read_ipv4(reader);
  ends.destination = read_ipv4(reader);
  const std::size_t header_bytes = std::size_t{version_and_words & 0x0FU} * 4;
  if (version_and_words >> 4U != 4 || header_bytes < kIpv4HeaderBytes) return std::nullopt;
  if (protocol != kUdp || (flags_and_offset & 0x1FFFU) != 0) return std::nullopt;
  reader.skip(header_bytes - kIpv4HeaderBytes);
  return ends;
}

// RFC 8200 sections 3 and 4.5. We send no extension header but the fragment's, and the first fragment has the
// ports.
std::optional<Ends> read_quoted_ipv6(Reader& reader) {
  const std::uint32_t version_and_flow = reader.u32();
  reader.skip(2);
  std::uint8_t next_header = reader.u8();
  reader.skip(1);
  Ends ends;
  ends.source = read_ipv6(reader);
  ends.destination = read_ipv6(reader);
  if (version_and_flow >> 28U != 6) return std::nullopt;
  if (next_header == kFragmentHeader) {
    next_header = reader.u8();
    reader.skip(1);
    const std::uint16_t offset_and_more = reader.u16();
    reader.skip(4);
    if (offset_and_more >> 3U != 0) return std::nullopt;
  }
  if (next_header != kUdp) return std::nullopt;
  return ends;
}

// Without the IP header in front, if it has one and the checksum is right.
std::optional<Bytes> icmp_of(Bytes message, Family family) {
  if (family == Family::ipv6) return message;
  Reader reader(message);
  const std::size_t header_bytes = std::size_t{reader.u8() & 0x0FU} * 4;
  if (header_bytes < kIpv4HeaderBytes || header_bytes > message.size()) return std::nullopt;
  const Bytes icmp = message.subspan(header_bytes);
  if (finish_checksum(add_to_checksum(0, icmp)) != 0) return std::nullopt;
  return icmp;
}

}  // namespace

std::optional<DatagramError> parse_datagram_error(Bytes message, Family family) {
  const auto icmp = icmp_of(message, family);
  if (!icmp) return std::nullopt;
  Reader reader(*icmp);
  DatagramError error;
  error.type = reader.u8();
  error.code = reader.u8();
  reader.skip(2);
  error.mtu = mtu_of(family, error.type, error.code, reader.u32());
  const auto ends = family == Family::ipv4 ? read_quoted_ipv4(reader) : read_quoted_ipv6(reader);
  if (!ends) return std::nullopt;
  error.from = {ends->source, reader.u16()};
  error.to = {ends->destination, reader.u16()};
  if (!reader.ok() || !is_error(family, error.type)) return std::nullopt;
  return error;
}

}  // namespace offhook::icmp
