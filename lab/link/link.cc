#include "link.h"

#include <unistd.h>

#include <span>
#include <utility>

namespace offhook::lab {
namespace {

constexpr int kPacketsPerTurn = 64;

void send(Direction& direction, const Packet& packet) {
  const ssize_t sent = ::write(direction.to, packet.bytes.data(), packet.size);
  if (sent == static_cast<ssize_t>(packet.size)) {
    ++direction.path.counters.delivered;
  } else {
    ++direction.path.counters.refused;
  }
}

}  // namespace

void receive(Direction& direction, std::unique_ptr<Packet>& spare, Time now) {
  for (int i = 0; i < kPacketsPerTurn; ++i) {
    if (!spare) spare = std::make_unique_for_overwrite<Packet>();
    const ssize_t size = ::read(direction.from, spare->bytes.data(), spare->bytes.size());
    if (size <= 0) return;  // nothing more, or the device is down: epoll tells when there is something again
    spare->size = static_cast<std::size_t>(size);
    const auto due = direction.path.admit(std::span(spare->bytes).first(spare->size), now);
    if (!due) continue;
    if (*due <= now && direction.path.held() == 0) {
      send(direction, *spare);
    } else {
      direction.path.hold(std::exchange(spare, nullptr), *due);
    }
  }
}

void send_due(Direction& direction, Time now) {
  while (const auto packet = direction.path.take_due(now)) send(direction, *packet);
}

}  // namespace offhook::lab
