#include "service/relay/shared_receive.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <system_error>

#include "io/net/icmp_socket.h"

namespace offhook::relay {
namespace {

std::string refused(const std::string& what, int code) {
  const std::string advice = code == EPERM ? fmt::format("; it takes {}", io::kLookupCapabilities) : "";
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
    const auto ip = std::find_if(relay_ips.begin(), relay_ips.end(),
                                 [&](const Ip& each) { return each.family() == family; });
    if (ip == relay_ips.end()) continue;
    for (unsigned shard = 0; shard < shards; ++shard) {
      if (auto opened = shared->open(shard, *ip); !opened) return without(opened.error());
    }
  }
  return shared;
}

Result<void, std::string> SharedReceive::open(unsigned shard, const Ip& ip) {
  const Family family = ip.family();
  auto datagrams = io::open_shared_receiver(ip);
  if (!datagrams) return fail(refused("no receive socket at " + ip.text(), datagrams.error()));
  auto icmp_errors = io::open_icmp_socket(family, lookup_->icmp_filter_fd(family));
  if (!icmp_errors) return fail(refused("no raw socket for ICMP errors", icmp_errors.error()));
  if (!lookup_->set_socket(shard, family, datagrams->get()))
    return fail(refused("the kernel looks up no such socket", errno));
  sockets_[position(shard, family)] = {std::move(*datagrams), std::move(*icmp_errors)};
  return {};
}

}  // namespace offhook::relay
