#include "service/relay/senders.h"

#include <net/if.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "io/net/interfaces.h"

namespace offhook::relay {

namespace {

// Each has twice what waits at most: the kernel may still have the round before.
constexpr std::size_t kXdpFramesEach = 128;

std::string name_of(int interface) {
  std::array<char, IF_NAMESIZE> name{};
  const char* known = if_indextoname(static_cast<unsigned>(interface), name.data());
  return known != nullptr ? known : "an interface that is gone";
}

void log_no_xdp_socket(int interface, int code) {
  const char* advice = "";
  if (code == EBUSY) advice = ": another program has the interface's queue";
  if (code == ENOBUFS) advice = ": more locked memory allows it (systemd: LimitMEMLOCK=64M, or ulimit -l)";
  if (code == EAFNOSUPPORT || code == EPERM)
    advice = ": CAP_NET_RAW allows it, with AF_XDP in systemd's RestrictAddressFamilies";
  spdlog::info("relay: no AF_XDP socket on {} ({}){}; a packet socket serves", name_of(interface),
               std::generic_category().message(code), advice);
}

std::vector<io::XdpSender> xdp_senders(const XdpQueues& queues, std::size_t shard, std::size_t limit) {
  std::vector<io::XdpSender> senders;
  for (const auto& queue : queues) {
    auto sender = io::XdpSender::open(queue, shard, limit);
    if (sender) {
      senders.push_back(std::move(*sender));
    } else {
      log_no_xdp_socket(queue->interface(), sender.error());
    }
  }
  return senders;
}

}  // namespace

XdpQueues open_xdp_queues(const std::vector<Ip>& ips, std::size_t shards) {
  XdpQueues queues;
  for (const int interface : io::interfaces_with(ips)) {
    auto queue = io::XdpQueue::open(interface, shards, kXdpFramesEach);
    if (queue) {
      spdlog::info("relay: packets leave {} through AF_XDP sockets: it has no queue that they would pass by",
                   name_of(interface));
      queues.push_back(std::move(*queue));
    } else {
      log_no_xdp_socket(interface, queue.error());
    }
  }
  return queues;
}

io::JointSender joint_sender(const RelaySettings& settings, const std::vector<Ip>& ips, std::size_t limit,
                             const XdpQueues& queues, std::size_t shard) {
  if (!settings.raw_sockets) return {};
  std::vector<io::RawSender> raw;
  for (const Ip& ip : ips) {
    if (auto sender = io::RawSender::open(ip, limit)) raw.push_back(std::move(*sender));
  }
  if (settings.packet_sockets == PacketSocketChoice::off) return {std::move(raw), std::nullopt, std::nullopt};
  return {std::move(raw), io::PacketSender::open(limit), io::NextHops::open(),
          xdp_senders(queues, shard, limit)};
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
