#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "io/net/socket.h"
#include "service/relay/client_connections.h"

namespace offhook::relay {

struct Listener {
  io::Socket socket;
  Address address;
  ClientConnections::Service service = ClientConnections::Service::turn;
};
// The listening sockets of one shard.
struct ShardListeners {
  std::vector<Listener> udp;
  std::vector<Listener> tcp;
};
struct Listeners {
  std::vector<ShardListeners> shards;
  std::vector<Address> addresses;  // what is listened on, over UDP and TCP alike
  std::vector<Address> tls_addresses;
};

// The addresses that `wanted` means: with none, or for 0.0.0.0 and ::, those of every interface that is up.
std::vector<Ip> expand_listen_addresses(const std::vector<Ip>& wanted);

// Binds UDP and TCP on each of `ips`, once a shard (SO_REUSEPORT), before any shard runs: the kernel then
// gives a five-tuple to the same shard for good. Another process that has the port is noticed, even if it
// shares too. port 0: a free one, the same for all. The error is one line for the operator.
Result<Listeners, std::string> open_listeners(const std::vector<Ip>& ips, std::uint16_t port,
                                              unsigned shards);
// Adds `port`, TCP alone, for TLS, TURN and HTTP. After an error `listeners` is as it was.
Result<void, io::SystemError> add_tls_port(Listeners& listeners, const std::vector<Ip>& ips,
                                           std::uint16_t port);

}  // namespace offhook::relay
