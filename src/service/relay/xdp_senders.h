#pragma once
// The AF_XDP sockets of all shards, opened together, for those of an interface share its queue.

#include <cstddef>
#include <vector>

#include "base/address.h"
#include "io/net/xdp_sender.h"

namespace offhook::relay {

// For each shard one for each interface that has one of `ips`, with room for `limit` datagrams. Interfaces on
// which there can be none are left out, and the log says so; it tells as well which have one. Of the thread
// that makes the shards. Waits for half a second at most where another program has the queue, which may be
// the server's own last run that the kernel has not cleared away yet.
std::vector<std::vector<io::XdpSender>> open_xdp_senders(const std::vector<Ip>& ips, std::size_t shards,
                                                         std::size_t limit);

}  // namespace offhook::relay
