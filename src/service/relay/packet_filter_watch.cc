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

const char* advice(const std::string& found) {
  return found.ends_with(std::generic_category().message(EPERM)) ? "; CAP_NET_ADMIN may look" : "";
}

}  // namespace

PacketFilterWatch::PacketFilterWatch(SendingAllowed& allowed, Wishes wishes)
    : allowed_(allowed),
      packet_sockets_always_(wishes.packet_sockets_always),
      wishes_xdp_sockets_(wishes.xdp_sockets) {
  allowed_.packet_sockets = packet_sockets_always_;
  look();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  (void)pthread_setname_np(thread_.native_handle(), "packet-filter");
}

void PacketFilterWatch::run(const std::stop_token& stop) {
  std::unique_lock lock(lock_);
  while (!stopped_.wait_for(lock, stop, kInterval, [&] { return stop.stop_requested(); })) look();
}

void PacketFilterWatch::look() {
  if (!packet_sockets_always_) look_for_filters();
  if (!allowed_.packet_sockets) {
    allowed_.xdp_sockets = false;
  } else if (wishes_xdp_sockets_) {
    look_at_interfaces();
  }
}

void PacketFilterWatch::look_for_filters() {
  std::string found = io::packet_filter_in_the_way();
  allowed_.packet_sockets = found.empty();
  if (found_ == found) return;
  if (found.empty()) {
    spdlog::info(
        "relay: packets leave through a packet socket, past the kernel's IP: nothing of it filters them");
  } else {
    spdlog::info(
        "relay: packets leave through the kernel's IP ({}{}); a packet socket would be faster, and past that "
        "(--packet-sockets on)",
        found, advice(found));
  }
  found_ = std::move(found);
}

void PacketFilterWatch::look_at_interfaces() {
  std::string found = io::interface_queue_in_the_way();
  allowed_.xdp_sockets = found.empty();
  if (found_at_interfaces_ == found) return;
  // Most machines have a queue, so that there is one when the server starts is no news.
  const auto level = found_at_interfaces_ ? spdlog::level::info : spdlog::level::debug;
  if (found.empty()) {
    spdlog::log(level, "relay: AF_XDP sockets may send: no interface queues or filters what leaves");
  } else {
    spdlog::log(level, "relay: AF_XDP sockets do not send, past what an interface has ({}{})", found,
                advice(found));
  }
  found_at_interfaces_ = std::move(found);
}

}  // namespace offhook::relay
