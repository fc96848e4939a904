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

bool has_family(const std::vector<Ip>& ips, Family family) {
  return std::any_of(ips.begin(), ips.end(), [&](const Ip& ip) { return ip.family() == family; });
}

void log_without(const char* which, const std::string& why) {
  spdlog::info("relay: each {}relay port receives for itself, which is slower: {}", which, why);
}

}  // namespace

std::unique_ptr<SharedReceive> SharedReceive::start(const RelaySettings& settings,
                                                    const std::vector<Ip>& relay_ips, unsigned shards) {
  if (!settings.socket_lookup) return nullptr;
  auto lookup =
      io::SocketLookup::start({relay_ips, settings.relay_port_first, settings.relay_port_last, shards});
  if (!lookup) {
    log_without("", lookup.error());
    return nullptr;
  }
  std::unique_ptr<SharedReceive> shared(new SharedReceive(shards));
  shared->lookup_ = std::move(*lookup);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!has_family(relay_ips, family)) continue;
    if (const auto opened = shared->open(family, shards); !opened)
      log_without(family == Family::ipv4 ? "IPv4 " : "IPv6 ", opened.error());
  }
  return shared;
}

// For every shard or for none: the kernel forgets sockets that are closed, and gives datagrams to the ports'
// own.
Result<void, std::string> SharedReceive::open(Family family, unsigned shards) {
  for (unsigned shard = 0; shard < shards; ++shard) {
    const auto opened = open(shard, family);
    if (opened) continue;
    for (unsigned before = 0; before < shard; ++before) sockets_[position(before, family)] = {};
    return opened;
  }
  return {};
}

Result<void, std::string> SharedReceive::open(unsigned shard, Family family) {
  auto datagrams = io::open_shared_receiver(family);
  if (!datagrams) {
    const char* loopback = family == Family::ipv4 ? "127.0.0.1" : "::1";
    return fail(refused(fmt::format("no receive socket at {}", loopback), datagrams.error()));
  }
  auto icmp_errors = io::open_icmp_socket(family, lookup_->icmp_filter_fd(family));
  if (!icmp_errors) return fail(refused("no raw socket for ICMP errors", icmp_errors.error()));
  if (!lookup_->set_sockets(shard, family, datagrams->get(), icmp_errors->get()))
    return fail(refused("the kernel looks up no such socket", errno));
  sockets_[position(shard, family)] = {std::move(*datagrams), std::move(*icmp_errors)};
  return {};
}

}  // namespace offhook::relay
