#include "service/relay/shared_receive.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <system_error>

#include "io/net/icmp_socket.h"

namespace offhook::relay {
namespace {

bool has_family(const std::vector<Ip>& ips, Family family) {
  return std::any_of(ips.begin(), ips.end(), [&](const Ip& ip) { return ip.family() == family; });
}

std::string refused(const char* what, int code) {
  const char* advice =
      code == EPERM ? "; CAP_NET_RAW allows it (systemd: AmbientCapabilities=CAP_NET_RAW)" : "";
  return fmt::format("{}: {}{}", what, std::generic_category().message(code), advice);
}

std::unique_ptr<SharedReceive> without(const std::string& why) {
  spdlog::info("relay: each relay port receives for itself, which is slower: {}", why);
  return nullptr;
}

}  // namespace

std::unique_ptr<SharedReceive> SharedReceive::start(const RelaySettings& settings,
                                                    const std::vector<Ip>& relay_ips, unsigned shards) {
  if (!settings.socket_lookup) return nullptr;
  auto lookup =
      io::SocketLookup::start({relay_ips, settings.relay_port_first, settings.relay_port_last, shards});
  if (!lookup) return without(lookup.error());
  std::unique_ptr<SharedReceive> shared(new SharedReceive(shards));
  shared->lookup_ = std::move(*lookup);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!has_family(relay_ips, family)) continue;
    for (unsigned shard = 0; shard < shards; ++shard) {
      if (auto opened = shared->open(shard, family); !opened) return without(opened.error());
    }
  }
  return shared;
}

Result<void, std::string> SharedReceive::open(unsigned shard, Family family) {
  auto datagrams = io::open_shared_receiver(family);
  if (!datagrams) return fail(refused("no receive socket", datagrams.error()));
  auto icmp_errors = io::open_icmp_socket(family);
  if (!icmp_errors) return fail(refused("no raw socket for ICMP errors", icmp_errors.error()));
  if (!lookup_->set_socket(shard, family, datagrams->get()))
    return fail(refused("the kernel looks up no such socket", errno));
  sockets_[position(shard, family)] = {std::move(*datagrams), std::move(*icmp_errors)};
  return {};
}

}  // namespace offhook::relay
