#include "service/relay/packet_filter_watch.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "io/net/packet_filter.h"

namespace offhook::relay {
namespace {

constexpr std::chrono::seconds kInterval{1};

}  // namespace

PacketFilterWatch::PacketFilterWatch(std::atomic<bool>& allowed) : allowed_(allowed) {
  look();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  (void)pthread_setname_np(thread_.native_handle(), "packet-filter");
}

void PacketFilterWatch::run(const std::stop_token& stop) {
  std::unique_lock lock(lock_);
  while (!stopped_.wait_for(lock, stop, kInterval, [&] { return stop.stop_requested(); })) look();
}

void PacketFilterWatch::look() {
  std::string found = io::packet_filter_in_the_way();
  allowed_ = found.empty();
  if (found_ == found) return;
  if (found.empty()) {
    spdlog::info(
        "relay: packets leave through a packet socket, past the kernel's IP: nothing of it filters them");
  } else {
    const bool is_denied = found.ends_with(std::generic_category().message(EPERM));
    spdlog::info(
        "relay: packets leave through the kernel's IP ({}{}); a packet socket would be faster, and past that "
        "(--packet-sockets on)",
        found, is_denied ? "; CAP_NET_ADMIN may look" : "");
  }
  found_ = std::move(found);
}

}  // namespace offhook::relay
