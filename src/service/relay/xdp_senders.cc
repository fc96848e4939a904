#include "service/relay/xdp_senders.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>
#include <utility>

#include "base/result.h"
#include "io/loop/clock.h"
#include "io/net/interfaces.h"
#include "io/net/xdp_queue.h"

namespace offhook::relay {
namespace {

// Times what waits at most: behind a virtual interface there may be a network card, and the kernel keeps a
// frame until that has sent it.
constexpr std::size_t kFramesForEach = 4;

// The kernel tells nobody when it has cleared a queue away.
constexpr int kAttempts = 10;
constexpr std::chrono::milliseconds kBetweenAttempts{50};

void log_none(int interface, int code) {
  const char* advice = "";
  if (code == EBUSY) advice = ": another program has the interface's queue";
  if (code == ENOBUFS) advice = ": more locked memory allows it (systemd: LimitMEMLOCK=64M, or ulimit -l)";
  if (code == EAFNOSUPPORT || code == EPERM)
    advice = ": CAP_NET_RAW allows it, with AF_XDP in systemd's RestrictAddressFamilies";
  // Of an older kernel nobody expects it.
  const auto level = code == EOPNOTSUPP ? spdlog::level::debug : spdlog::level::info;
  spdlog::log(level, "relay: no AF_XDP socket on {} ({}){}; a packet socket serves",
              io::interface_name(interface), std::generic_category().message(code), advice);
}

Result<std::shared_ptr<io::XdpQueue>, int> open_queue(int interface, std::size_t shards, std::size_t limit) {
  for (int attempt = 1;; ++attempt) {
    auto queue = io::XdpQueue::open(interface, shards, kFramesForEach * limit);
    if (queue || queue.error() != EBUSY || attempt == kAttempts) return queue;
    io::pause_for(kBetweenAttempts);
  }
}

// One for each shard.
Result<std::vector<io::XdpSender>, int> open_on(int interface, std::size_t shards, std::size_t limit) {
  const auto queue = open_queue(interface, shards, limit);
  if (!queue) return fail(queue.error());
  std::vector<io::XdpSender> senders;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    auto sender = io::XdpSender::open(*queue, shard, limit);
    if (!sender) return fail(sender.error());
    senders.push_back(std::move(*sender));
  }
  return senders;
}

}  // namespace

std::vector<std::vector<io::XdpSender>> open_xdp_senders(const std::vector<Ip>& ips, std::size_t shards,
                                                         std::size_t limit) {
  std::vector<std::vector<io::XdpSender>> of_shards(shards);
  for (const int interface : io::ethernet_interfaces_with(ips)) {
    auto senders = open_on(interface, shards, limit);
    if (!senders) {
      log_none(interface, senders.error());
      continue;
    }
    for (std::size_t shard = 0; shard < shards; ++shard)
      of_shards[shard].push_back(std::move((*senders)[shard]));
    spdlog::info("relay: packets leave {} through AF_XDP sockets: it has no queue that they would pass by",
                 io::interface_name(interface));
  }
  return of_shards;
}

}  // namespace offhook::relay
