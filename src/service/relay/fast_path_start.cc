#include "service/relay/fast_path_start.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <string>

#include "wire/turn/channel_data.h"

namespace offhook::relay {
namespace {

std::optional<io::FastPathMode> mode_of(FastPathChoice choice) {
  switch (choice) {
    case FastPathChoice::off:
      return std::nullopt;
    case FastPathChoice::automatic:
      return io::FastPathMode::automatic;
    case FastPathChoice::xdp:
      return io::FastPathMode::xdp;
    case FastPathChoice::tc:
      return io::FastPathMode::tc;
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<io::FastPath> start_fast_path(const RelaySettings& settings, const std::vector<Ip>& ips,
                                              std::uint16_t listen_port) {
  const auto mode = mode_of(settings.fast_path);
  if (!mode) return nullptr;
  auto started = io::FastPath::start({*mode, ips, listen_port, settings.relay_port_first,
                                      settings.relay_port_last, settings.fast_path_channels});
  if (started) {
    spdlog::info("relay: fast path {}", (*started)->text());
    return std::move(*started);
  }
  // Who has asked for it should see that it is missing.
  const auto level =
      settings.fast_path == FastPathChoice::automatic ? spdlog::level::info : spdlog::level::warn;
  spdlog::log(level, "relay: no fast path, packets pass through sockets: {}", started.error());
  return nullptr;
}

void log_reasons(const io::FastPath& fast_path) {
  std::string line;
  for (int i = 0; i < route_abi::route_reason_count; ++i) {
    const auto reason = static_cast<route_abi::route_reason>(i);
    if (const std::uint64_t count = fast_path.count(reason))
      line += fmt::format(" {} {}", io::name(reason), count);
  }
  if (!line.empty()) spdlog::info("relay: packets in the fast path:{}", line);
}

void add_traffic(const io::FastPath& fast_path, RelayCounters& sum) {
  const auto total = fast_path.total();
  const auto& up = total.from_client;
  const auto& down = total.to_client;
  sum.add(Counter::packets_routed, up.packets + down.packets);
  sum.add(Counter::packets_from_clients, up.packets);
  sum.add(Counter::bytes_from_clients, up.payload_bytes + up.packets * turn::kChannelDataHeaderBytes);
  sum.add(Counter::packets_to_peers, up.packets);
  sum.add(Counter::bytes_to_peers, up.payload_bytes);
  sum.add(Counter::packets_from_peers, down.packets);
  sum.add(Counter::bytes_from_peers, down.payload_bytes);
  sum.add(Counter::packets_to_clients, down.packets);
  sum.add(Counter::bytes_to_clients, down.payload_bytes + down.packets * turn::kChannelDataHeaderBytes);
}

}  // namespace offhook::relay
