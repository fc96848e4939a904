#pragma once
// The one address type. An IPv4 address is four bytes and never hides inside an IPv6 one: sockets are
// IPV6_V6ONLY, and IPv6 forms that embed an IPv4 address are refused by the peer gate
// (core/turn/peer_policy.h).

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace offhook {

enum class Family : std::uint8_t { ipv4 = 1, ipv6 = 2 };  // values as in STUN's address attributes

class Ip {
 public:
  Ip() = default;  // 0.0.0.0
  static Ip v4(std::array<std::uint8_t, 4> octets);
  static Ip v4(std::uint32_t host_order);
  static Ip v6(std::array<std::uint8_t, 16> octets);
  // Accepts "192.0.2.1", "2001:db8::1"; no brackets, no zone, no port.
  static std::optional<Ip> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::ipv4; }
  Bytes octets() const { return Bytes(octets_).first(is_v4() ? 4 : 16); }
  bool is_unspecified() const;
  bool is_loopback() const;
  // "192.0.2.1", "2001:db8::1" (RFC 5952).
  std::string text() const;

  auto operator<=>(const Ip&) const = default;

 private:
  Family family_ = Family::ipv4;
  std::array<std::uint8_t, 16> octets_{};  // IPv4 uses the first four, the rest stay zero
};

struct Address {
  Ip ip;
  std::uint16_t port = 0;
  // "192.0.2.1:3478", "[2001:db8::1]:3478".
  static std::optional<Address> parse(std::string_view text);
  std::string text() const;
  Family family() const { return ip.family(); }
  auto operator<=>(const Address&) const = default;
};

// A prefix such as 10.0.0.0/8. A bare address is a prefix of full length.
class Prefix {
 public:
  static std::optional<Prefix> parse(std::string_view text);
  Prefix(Ip base, unsigned length);
  bool contains(const Ip& ip) const;
  std::string text() const;
  auto operator<=>(const Prefix&) const = default;

 private:
  Ip base_;
  unsigned length_ = 0;
};

std::size_t hash_value(const Ip& ip);
std::size_t hash_value(const Address& address);

}  // namespace offhook

template <>
struct std::hash<offhook::Ip> {
  std::size_t operator()(const offhook::Ip& ip) const { return offhook::hash_value(ip); }
};
template <>
struct std::hash<offhook::Address> {
  std::size_t operator()(const offhook::Address& address) const { return offhook::hash_value(address); }
};
