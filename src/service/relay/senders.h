#pragma once
// How a shard sends: what the settings wish for and the process may have.

#include <cstddef>
#include <memory>
#include <vector>

#include "io/net/joint_sender.h"
#include "io/net/xdp_sender.h"
#include "service/relay/packet_filter_watch.h"
#include "service/relay/relay_settings.h"

namespace offhook::relay {

// For one shard, with room for `limit` datagrams. `ips`: all that it sends from. `xdp`: with the same limit.
io::JointSender joint_sender(const RelaySettings& settings, const std::vector<Ip>& ips, std::size_t limit,
                             std::vector<io::XdpSender> xdp);
// Tells the log what is missing, and how to get it.
void log_sending(const RelaySettings& settings, const std::vector<Ip>& ips);
// Sets `allowed`, and keeps it right as long as what it returns lives. Null: it does not change.
std::unique_ptr<PacketFilterWatch> watch_packet_filter(const RelaySettings& settings,
                                                       SendingAllowed& allowed);

}  // namespace offhook::relay
