#pragma once
// The channels of one shard that have routes in the fast path. Without a fast path it does nothing.
// Single-threaded.

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "core/turn/types.h"
#include "io/fastpath/fast_path.h"
#include "service/relay/relay_counters.h"

namespace offhook::relay {

class Routes {
 public:
  struct Rules {
    const std::vector<Ip>& relay_ips;       // where this server relays from; must outlive this
    bool hops = true;                       // false: what leads there gets no route
    std::uint64_t payload_bytes_per_s = 0;  // of an allocation, each way; 0: no limit
  };
  // `fast_path` may be null.
  Routes(io::FastPath* fast_path, const Rules& rules, ShardCounters& counters)
      : fast_path_(fast_path), rules_(rules), counters_(counters) {}

  // Of a channel that is new, refreshed, or in use by a client that has moved.
  void install(const turn::InstallRoute& effect, const Address& relayed_address);
  void remove(const turn::RemoveRoute& effect);
  void remove_all();

 private:
  struct Held {
    std::uint32_t account = 0;
    std::vector<io::RelayedChannel> channels;
  };
  using Channels = std::unordered_map<turn::AllocationId, Held>;

  static std::vector<io::RelayedChannel>::iterator find(Held& held, Family family, std::uint16_t number);
  void drop(Channels::iterator held, std::vector<io::RelayedChannel>::iterator channel);

  io::FastPath* fast_path_;
  const Rules rules_;
  ShardCounters& counters_;
  Channels channels_;
};

}  // namespace offhook::relay
