#include "service/relay/listeners.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/net/interfaces.h"

namespace offhook::relay {
namespace {

// A free UDP port may be taken for TCP or on another address; another is tried so many times.
constexpr int kFreePortTries = 32;

using io::PortSharing;
using io::SystemError;

// Sharing would hide a second server of the same user, which then took half of the clients.
Result<void, SystemError> require_unused(const std::vector<Ip>& ips, std::uint16_t port) {
  for (const Ip& ip : ips) {
    const auto udp = io::open_udp_listener({ip, port}, PortSharing::exclusive);
    if (!udp) return fail(udp.error());
    const auto tcp = io::open_tcp_listener({ip, port}, PortSharing::exclusive);
    if (!tcp) return fail(tcp.error());
  }
  return {};
}

Result<ShardListeners, SystemError> open_shard(const std::vector<Ip>& ips, std::uint16_t port) {
  ShardListeners listeners;
  for (const Ip& ip : ips) {
    const Address address{ip, port};
    auto udp = io::open_udp_listener(address, PortSharing::between_shards);
    if (!udp) return fail(udp.error());
    listeners.udp.push_back({std::move(*udp), address});
    auto tcp = io::open_tcp_listener(address, PortSharing::between_shards);
    if (!tcp) return fail(tcp.error());
    listeners.tcp.push_back({std::move(*tcp), address});
  }
  return listeners;
}

Result<Listeners, SystemError> open_all(const std::vector<Ip>& ips, std::uint16_t port, unsigned shards) {
  if (auto unused = require_unused(ips, port); !unused) return fail(unused.error());
  Listeners all;
  for (unsigned shard = 0; shard < shards; ++shard) {
    auto listeners = open_shard(ips, port);
    if (!listeners) return fail(listeners.error());
    all.shards.push_back(std::move(*listeners));
  }
  for (const Ip& ip : ips) all.addresses.push_back({ip, port});
  return all;
}

Result<std::uint16_t, SystemError> free_port(const Ip& ip) {
  const auto socket = io::open_udp_listener({ip, 0}, PortSharing::exclusive);
  if (!socket) return fail(socket.error());
  const auto address = io::bound_address(*socket);
  return address ? address->port : std::uint16_t{0};
}

}  // namespace

std::vector<Ip> expand_listen_addresses(const std::vector<Ip>& wanted) {
  auto up = io::interface_addresses();
  if (wanted.empty()) return up;
  std::vector<Ip> expanded;
  const auto add = [&](const Ip& ip) {
    if (std::find(expanded.begin(), expanded.end(), ip) == expanded.end()) expanded.push_back(ip);
  };
  for (const Ip& ip : wanted) {
    if (!ip.is_unspecified()) {
      add(ip);
      continue;
    }
    for (const Ip& each : up) {
      if (each.family() == ip.family()) add(each);
    }
  }
  return expanded;
}

Result<Listeners, std::string> open_listeners(const std::vector<Ip>& ips, std::uint16_t port,
                                              unsigned shards) {
  if (ips.empty()) return fail(std::string("no address to listen on: no interface is up"));
  for (int i = 0;; ++i) {
    auto chosen = port == 0 ? free_port(ips.front()) : Result<std::uint16_t, SystemError>(port);
    if (!chosen) return fail(chosen.error().text());
    auto all = open_all(ips, *chosen, shards);
    if (all) return std::move(*all);
    const bool try_another = port == 0 && all.error().code == EADDRINUSE && i < kFreePortTries;
    if (!try_another) return fail(all.error().text());
  }
}

}  // namespace offhook::relay
