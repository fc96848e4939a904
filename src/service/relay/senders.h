#pragma once
// How a shard sends: what the settings wish for and the process may have.

#include <atomic>
#include <memory>
#include <vector>

#include "io/net/joint_sender.h"
#include "service/relay/packet_filter_watch.h"
#include "service/relay/relay_settings.h"

namespace offhook::relay {

// For one shard, with room for `limit` datagrams. `ips`: all that it sends from.
io::JointSender joint_sender(const RelaySettings& settings, const std::vector<Ip>& ips, std::size_t limit);
// Tells the log what is missing, and how to get it.
void log_sending(const RelaySettings& settings, const std::vector<Ip>& ips);
// Sets `allowed`, and keeps it right as long as what it returns lives. Null: it does not change.
std::unique_ptr<PacketFilterWatch> allow_packet_sockets(const RelaySettings& settings,
                                                        std::atomic<bool>& allowed);

}  // namespace offhook::relay
