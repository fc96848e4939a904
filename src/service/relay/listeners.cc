#include "service/relay/listeners.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
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
    io::take_merged(*udp);
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

namespace {

SystemError of_tls_port(SystemError error, std::uint16_t port) {
  if (error.code == EADDRINUSE) {
    error.hint = "see which program has it: ss -lntp | grep :" + std::to_string(port) +
                 "; stop that one, or choose another port (--tls-port)";
  }
  return error;
}

}  // namespace

Result<void, SystemError> add_tls_port(Listeners& listeners, const std::vector<Ip>& ips, std::uint16_t port) {
  std::vector<std::vector<Listener>> opened(listeners.shards.size());
  std::vector<Address> addresses;
  for (const Ip& ip : ips) {
    Address address{ip, port};
    {
      const auto unused = io::open_tcp_listener(address, PortSharing::exclusive);
      if (!unused) return fail(of_tls_port(unused.error(), port));
      // Port 0 takes a free one, the same in every shard.
      if (port == 0) address = io::bound_address(*unused).value_or(address);
    }
    for (auto& of_shard : opened) {
      auto socket = io::open_tcp_listener(address, PortSharing::between_shards);
      if (!socket) return fail(of_tls_port(socket.error(), port));
      of_shard.push_back({std::move(*socket), address, ClientConnections::Service::turn_and_http});
    }
    addresses.push_back(address);
  }
  for (std::size_t shard = 0; shard < opened.size(); ++shard) {
    auto& tcp = listeners.shards[shard].tcp;
    std::move(opened[shard].begin(), opened[shard].end(), std::back_inserter(tcp));
  }
  listeners.tls_addresses.insert(listeners.tls_addresses.end(), addresses.begin(), addresses.end());
  return {};
}

}  // namespace offhook::relay
