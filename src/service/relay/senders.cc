#include "service/relay/senders.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace offhook::relay {

io::JointSender joint_sender(const RelaySettings& settings, const std::vector<Ip>& ips, std::size_t limit,
                             std::vector<io::XdpSender> xdp) {
  if (!settings.raw_sockets) return {};
  std::vector<io::RawSender> raw;
  for (const Ip& ip : ips) {
    if (auto sender = io::RawSender::open(ip, limit)) raw.push_back(std::move(*sender));
  }
  if (settings.packet_sockets == PacketSocketChoice::off) return {std::move(raw), std::nullopt, std::nullopt};
  return {std::move(raw), io::PacketSender::open(limit), io::NextHops::open(), std::move(xdp)};
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

namespace {

// Whether the process may have them; who has asked for them is told if not.
bool may_have_packet_sockets(const RelaySettings& settings) {
  const bool wanted = settings.packet_sockets == PacketSocketChoice::on;
  if (!settings.raw_sockets) {
    if (wanted) spdlog::warn("relay: no packet socket, for these go with raw sockets, which are off");
    return false;
  }
  if (io::PacketSender::open(1) && io::NextHops::open()) return true;
  spdlog::log(wanted ? spdlog::level::warn : spdlog::level::debug,
              "relay: no packet socket ({}); it takes CAP_NET_RAW, and AF_PACKET and AF_NETLINK in systemd's "
              "RestrictAddressFamilies",
              std::generic_category().message(errno));
  return false;
}

}  // namespace

std::unique_ptr<PacketFilterWatch> watch_packet_filter(const RelaySettings& settings,
                                                       SendingAllowed& allowed) {
  if (settings.packet_sockets == PacketSocketChoice::off || !may_have_packet_sockets(settings))
    return nullptr;
  return std::make_unique<PacketFilterWatch>(
      allowed, PacketFilterWatch::Wishes{
                   .packet_sockets_always = settings.packet_sockets == PacketSocketChoice::on,
                   .xdp_sockets = settings.xdp_sockets,
               });
}

}  // namespace offhook::relay
