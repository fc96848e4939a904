#pragma once

#include <memory>
#include <vector>

#include "io/fastpath/fast_path.h"
#include "service/relay/relay_counters.h"
#include "service/relay/relay_settings.h"

namespace offhook::relay {

// As the settings ask for it. Null if it is off or cannot be had; one line of the log says which, and why.
// `ips`: where clients and peers reach the relay.
std::unique_ptr<io::FastPath> start_fast_path(const RelaySettings& settings, const std::vector<Ip>& ips,
                                              std::uint16_t listen_port);
// One line: why packets left its program, and how many for each reason.
void log_reasons(const io::FastPath& fast_path);
// Its packets, as if they had passed the sockets.
void add_traffic(const io::FastPath& fast_path, RelayCounters& sum);

}  // namespace offhook::relay
