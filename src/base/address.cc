#include "base/address.h"

#include <arpa/inet.h>  // inet_pton and inet_ntop: text only, no socket

#include <cassert>
#include <charconv>

namespace offhook {
namespace {

std::optional<unsigned> parse_number(std::string_view text, unsigned limit) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > limit) return std::nullopt;
  return value;
}

std::uint64_t load_u64(const std::uint8_t* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The multiply-fold of two words; `seed` differs a process, so that nobody can prepare colliding addresses.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}
std::uint64_t seed() {
  static const std::uint64_t value = [] {
    // The address of a local under address-space randomisation: enough for a hash table, not for a secret.
    int here = 0;
    return fold(reinterpret_cast<std::uintptr_t>(&here), 0x9E3779B97F4A7C15ULL) | 1U;
  }();
  return value;
}

}  // namespace

Ip Ip::v4(std::array<std::uint8_t, 4> octets) {
  Ip ip;
  std::memcpy(ip.octets_.data(), octets.data(), octets.size());
  return ip;
}

Ip Ip::v4(std::uint32_t host_order) {
  return v4({static_cast<std::uint8_t>(host_order >> 24U), static_cast<std::uint8_t>(host_order >> 16U),
             static_cast<std::uint8_t>(host_order >> 8U), static_cast<std::uint8_t>(host_order)});
}

Ip Ip::v6(std::array<std::uint8_t, 16> octets) {
  Ip ip;
  ip.family_ = Family::ipv6;
  ip.octets_ = octets;
  return ip;
}

std::optional<Ip> Ip::parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    return std::nullopt;  // inet_pton would stop there and be content
  const std::string owned(text);
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, owned.c_str(), four.data()) == 1) return v4(four);
  std::array<std::uint8_t, 16> sixteen{};
  if (inet_pton(AF_INET6, owned.c_str(), sixteen.data()) == 1) return v6(sixteen);
  return std::nullopt;
}

bool Ip::is_unspecified() const { return octets_ == std::array<std::uint8_t, 16>{}; }

bool Ip::is_loopback() const {
  if (is_v4()) return octets_[0] == 127;
  std::array<std::uint8_t, 16> one{};
  one[15] = 1;
  return octets_ == one;
}

std::string Ip::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), buffer, sizeof buffer);
  return buffer;
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = Ip::parse(host);
  if (ip && ip->is_v4() == bracketed) return std::nullopt;  // brackets are for IPv6, and IPv6 needs them
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!ip || !port) return std::nullopt;
  return Address{*ip, static_cast<std::uint16_t>(*port)};
}

std::string Address::text() const {
  const std::string host = ip.is_v4() ? ip.text() : "[" + ip.text() + "]";
  return host + ":" + std::to_string(port);
}

Prefix::Prefix(Ip base, unsigned length) : base_(base), length_(length) {
  assert(length <= (base.is_v4() ? 32U : 128U));
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto ip = Ip::parse(text.substr(0, slash));
  if (!ip) return std::nullopt;
  const unsigned width = ip->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return Prefix(*ip, width);
  const auto length = parse_number(text.substr(slash + 1), width);
  if (!length) return std::nullopt;
  return Prefix(*ip, *length);
}

bool Prefix::contains(const Ip& ip) const {
  if (ip.family() != base_.family()) return false;
  const Bytes a = base_.octets();
  const Bytes b = ip.octets();
  for (unsigned bit = 0; bit < length_; bit += 8) {
    const unsigned take = length_ - bit < 8 ? length_ - bit : 8;
    const unsigned mask = (0xFF00U >> take) & 0xFFU;
    if (((a[bit / 8] ^ b[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

std::string Prefix::text() const { return base_.text() + "/" + std::to_string(length_); }

std::size_t hash_value(const Ip& ip) {
  const Bytes octets = ip.octets();
  std::uint8_t raw[16] = {};
  std::memcpy(raw, octets.data(), octets.size());
  // Twice, and never by a factor that somebody else chooses: a product with 0 is 0, whatever the seed.
  const std::uint64_t half = fold(load_u64(raw) ^ seed(), 0x9E3779B97F4A7C15ULL);
  return fold(half ^ load_u64(raw + 8), 0xD6E8FEB86659FD93ULL ^ static_cast<std::uint64_t>(ip.family()));
}

std::size_t hash_value(const Address& address) {
  return fold(hash_value(address.ip) ^ (static_cast<std::uint64_t>(address.port) << 40U),
              0xA0761D6478BD642FULL);
}

}  // namespace offhook
