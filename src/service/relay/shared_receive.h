#pragma once
// One receive socket a shard for all its relay ports, where the process may have the kernel look sockets up
// so: one call takes the datagrams of many allocations. Each relay port is bound by a socket of its own all
// the same, which sends, and receives what the lookup leaves to it.

#include <memory>
#include <string>
#include <vector>

#include "io/fastpath/socket_lookup.h"
#include "io/net/socket.h"
#include "service/relay/relay_settings.h"

namespace offhook::relay {

class SharedReceive {
 public:
  // As the settings ask for it, for the relay ports of `relay_ips`. Null if it is off or cannot be had; one
  // line of the log says why.
  static std::unique_ptr<SharedReceive> start(const RelaySettings& settings, const std::vector<Ip>& relay_ips,
                                              unsigned shards);

  // None is open for a family without relay address, or for which there can be none.
  struct Sockets {
    io::Socket datagrams;
    io::Socket icmp_errors;  // that datagrams from relay ports of the shard have drawn
  };
  const Sockets& of(unsigned shard, Family family) const { return sockets_[position(shard, family)]; }
  io::SocketLookup& lookup() { return *lookup_; }

 private:
  explicit SharedReceive(unsigned shards) : sockets_(std::size_t{shards} * 2) {}
  static std::size_t position(unsigned shard, Family family) {
    return std::size_t{shard} * 2 + (family == Family::ipv6 ? 1 : 0);
  }
  // Why not, in a few words.
  Result<void, std::string> open(Family family, unsigned shards);
  Result<void, std::string> open(unsigned shard, Family family);

  std::vector<Sockets> sockets_;
  std::unique_ptr<io::SocketLookup> lookup_;  // ends before the sockets close
};

}  // namespace offhook::relay
