#include "service/relay/senders.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <system_error>

namespace offhook::relay {

io::JointSender joint_sender(const RelaySettings& settings, const std::vector<Ip>& ips, std::size_t limit) {
  if (!settings.raw_sockets) return {};
  std::vector<io::RawSender> raw;
  for (const Ip& ip : ips) {
    if (auto sender = io::RawSender::open(ip, limit)) raw.push_back(std::move(*sender));
  }
  if (settings.packet_sockets == PacketSocketChoice::off) return {std::move(raw), std::nullopt, std::nullopt};
  return {std::move(raw), io::PacketSender::open(limit), io::NextHops::open()};
}

void log_sending(const RelaySettings& settings, const std::vector<Ip>& ips) {
  if (!settings.raw_sockets) return;
  for (const Ip& ip : ips) {
    if (io::RawSender::open(ip, 1)) continue;
    const int code = errno;
    const char* advice =
        code == EPERM ? "; CAP_NET_RAW allows it (systemd: AmbientCapabilities=CAP_NET_RAW)" : "";
    spdlog::info(
        "relay: no raw socket for {} ({}){}: packets of different clients leave one by one, which is slower",
        ip.text(), std::generic_category().message(code), advice);
    if (code == EPERM) return;  // it is so for all
  }
}

std::unique_ptr<PacketFilterWatch> allow_packet_sockets(const RelaySettings& settings,
                                                        std::atomic<bool>& allowed) {
  allowed = settings.packet_sockets == PacketSocketChoice::on;
  const bool may_have_one = settings.raw_sockets && io::PacketSender::open(1) && io::NextHops::open();
  if (settings.packet_sockets != PacketSocketChoice::automatic || !may_have_one) return nullptr;
  return std::make_unique<PacketFilterWatch>(allowed);
}

}  // namespace offhook::relay
