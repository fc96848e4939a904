#include "service/relay/stream_queue.h"

#include <algorithm>
#include <cassert>

namespace offhook::relay {

void StreamQueue::add(Bytes packet, Kind kind, Instant now) {
  if (packet.empty()) return;
  buffer_.insert(buffer_.end(), packet.begin(), packet.end());
  packets_.push_back({static_cast<std::uint32_t>(packet.size()), kind, now});
}

void StreamQueue::handle_sent(std::size_t bytes) {
  assert(bytes <= this->bytes());
  held_ = 0;
  sent_ += bytes;
  first_sent_ += bytes;
  while (first_ < packets_.size() && first_sent_ >= packets_[first_].bytes) {
    first_sent_ -= packets_[first_].bytes;
    first_ += 1;
  }
  // What was sent leaves once it is half of the queue: each byte is moved at most once.
  if (sent_ * 2 >= buffer_.size()) forget_sent();
}

void StreamQueue::forget_sent() {
  const std::size_t begin = sent_ - first_sent_;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin));
  packets_.erase(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(first_));
  sent_ = first_sent_;
  first_ = 0;
}

bool StreamQueue::has_media_before(Instant time) const {
  // They stand in the order in which they came.
  const std::size_t whole = first_ + (first_sent_ > 0 ? 1 : 0);
  for (std::size_t i = whole; i < packets_.size() && packets_[i].came_at < time; ++i) {
    if (packets_[i].kind == Kind::media) return true;
  }
  return false;
}

std::size_t StreamQueue::drop_media_before(Instant time) {
  return take_out([time](const Packet& packet) { return packet.came_at < time; });
}

std::size_t StreamQueue::drop_oldest_media(std::size_t bytes) {
  std::size_t freed = 0;
  return take_out([&freed, bytes](const Packet& packet) {
    if (freed >= bytes) return false;
    freed += packet.bytes;
    return true;
  });
}

template <typename IsStale>
std::size_t StreamQueue::take_out(IsStale is_stale) {
  const std::size_t fixed = sent_ + held_;
  std::size_t from = sent_ - first_sent_;
  std::size_t to = from;
  std::size_t kept = first_;
  for (std::size_t i = first_; i < packets_.size(); ++i) {
    const Packet packet = packets_[i];
    const bool has_begun = from < fixed;
    if (has_begun || packet.kind == Kind::control || !is_stale(packet)) {
      std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(from), packet.bytes,
                  buffer_.begin() + static_cast<std::ptrdiff_t>(to));
      to += packet.bytes;
      packets_[kept++] = packet;
    }
    from += packet.bytes;
  }
  const std::size_t dropped = packets_.size() - kept;
  packets_.resize(kept);
  buffer_.resize(to);
  return dropped;
}

}  // namespace offhook::relay
