#pragma once
// How a shard sends: what the settings wish for and the process may have.

#include <cstddef>
#include <memory>
#include <vector>

#include "io/net/joint_sender.h"
#include "io/net/xdp_queue.h"
#include "service/relay/packet_filter_watch.h"
#include "service/relay/relay_settings.h"

namespace offhook::relay {

// The AF_XDP queues of the interfaces that have one of `ips`, for this many shards.
using XdpQueues = std::vector<std::shared_ptr<io::XdpQueue>>;
XdpQueues open_xdp_queues(const std::vector<Ip>& ips, std::size_t shards);

// For one shard, with room for `limit` datagrams. `ips`: all that it sends from.
io::JointSender joint_sender(const RelaySettings& settings, const std::vector<Ip>& ips, std::size_t limit,
                             const XdpQueues& queues, std::size_t shard);
// Tells the log what is missing, and how to get it.
void log_sending(const RelaySettings& settings, const std::vector<Ip>& ips);
// Sets `allowed`, and keeps it right as long as what it returns lives. Null: it does not change.
std::unique_ptr<PacketFilterWatch> watch_packet_filter(const RelaySettings& settings,
                                                       SendingAllowed& allowed);

}  // namespace offhook::relay
