#include "io/fastpath/route_entries.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cassert>

namespace offhook::io {
namespace {

using route_abi::route;
using route_abi::route_key;

// Words are added as they lie in memory: the sum in ones' complement does not depend on their byte order
// (RFC 1071 section 2).
std::uint16_t fold(std::uint32_t sum) {
  while (sum > 0xFFFFU) sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

std::uint32_t sum_of(const Ip& ip) {
  const Bytes octets = ip.octets();
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets.size(); i += 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, octets.data() + i, sizeof word);
    sum += word;
  }
  return sum;
}

std::uint32_t sum_of(const Address& address) { return sum_of(address.ip) + htons(address.port); }

std::uint16_t minus(std::uint16_t sum) { return static_cast<std::uint16_t>(~sum); }

std::uint8_t version_of(const Address& address) {
  return address.ip.is_v4() ? route_abi::route_ipv4 : route_abi::route_ipv6;
}

void put(const Ip& ip, std::uint8_t (&octets)[16]) {
  const Bytes from = ip.octets();
  std::copy(from.begin(), from.end(), octets);
}

struct Direction {
  Address from;  // the packet that comes in
  Address to;
  std::uint16_t channel_number = 0;  // 0: plain UDP
};

RouteEntry entry(const Direction& in, const Direction& out, const RelayedChannel& channel) {
  assert(in.from.family() == in.to.family() && out.from.family() == out.to.family());
  RouteEntry made{};
  put(in.from.ip, made.key.remote_ip);
  put(in.to.ip, made.key.local_ip);
  made.key.remote_port = htons(in.from.port);
  made.key.local_port = htons(in.to.port);
  made.key.channel_number = htons(in.channel_number);
  made.key.ip_version = version_of(in.to);

  const auto since_boot = channel.expires_at.time_since_epoch().count();
  made.value.expires_at_ns = since_boot > 0 ? static_cast<std::uint64_t>(since_boot) : 0;
  put(out.to.ip, made.value.to_ip);
  put(out.from.ip, made.value.from_ip);
  made.value.to_port = htons(out.to.port);
  made.value.from_port = htons(out.from.port);
  made.value.channel_number = htons(out.channel_number);
  made.value.ip_version = version_of(out.to);
  made.value.account = channel.account;
  const std::uint16_t before = fold(sum_of(in.from) + sum_of(in.to) + htons(in.channel_number));
  const std::uint16_t after = fold(sum_of(out.from) + sum_of(out.to) + htons(out.channel_number));
  made.value.checksum_change = fold(std::uint32_t{after} + minus(before));
  made.value.pseudo_sum = fold(sum_of(in.from.ip) + sum_of(in.to.ip) + htons(IPPROTO_UDP));
  return made;
}

}  // namespace

RouteEntry route_to_peer(const RelayedChannel& channel) {
  RouteEntry made = entry({channel.client_address, channel.listen_address, channel.channel_number},
                          {channel.relayed_address, channel.peer_address, 0}, channel);
  if (channel.to_own_relay) made.value.flags = route_abi::route_to_own_relay;
  return made;
}

RouteEntry route_to_client(const RelayedChannel& channel) {
  RouteEntry made = entry({channel.peer_address, channel.relayed_address, 0},
                          {channel.listen_address, channel.client_address, channel.channel_number}, channel);
  if (channel.to_own_relay) made.value.flags = route_abi::route_from_own_relay;
  return made;
}

}  // namespace offhook::io
