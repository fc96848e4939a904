#include "io/net/xdp_sender.h"

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace offhook::io {
namespace {

// An interface that has refused is asked again.
constexpr std::chrono::seconds kRest{1};

// No kernel takes an entry with these, it skips it: an address beyond the memory, and options that there are
// not. The lowest two there are; with the first it would skip the next entry as well, as of the same packet.
constexpr xdp_desc kNoFrame{.addr = ~0ULL, .len = ~0U, .options = ~3U};

}  // namespace

Result<XdpSender, int> XdpSender::open(std::shared_ptr<XdpQueue> queue, std::size_t user, std::size_t limit) {
  auto sender = queue->open_sender();
  if (!sender) return fail(sender.error());
  return XdpSender(std::move(queue), std::move(*sender), user, limit);
}

XdpSender::XdpSender(std::shared_ptr<XdpQueue> queue, XdpQueue::Sender sender, std::size_t user,
                     std::size_t limit)
    : queue_(std::move(queue)),
      sender_(std::move(sender)),
      user_(user),
      limit_(limit),
      first_frame_(static_cast<std::uint32_t>(user * queue_->frames_each())),
      is_free_(queue_->frames_each(), false) {
  for (auto i = static_cast<std::uint32_t>(is_free_.size()); i-- > 0;) set_free(first_frame_ + i);
  tags_.reserve(limit_);
}

void XdpSender::set_free(std::uint32_t number) {
  assert(!is_free_[number - first_frame_]);
  is_free_[number - first_frame_] = true;
  free_.push_back(number);
}

bool XdpSender::is_ready(Instant now) {
  if (has_failed_) {
    has_failed_ = false;
    again_at_ = now + kRest;
  }
  if (now < again_at_ || lacks_frames_ || tags_.size() == limit_) return false;
  if (tags_.empty() && !skip_what_was_taken_back()) {
    has_failed_ = true;
    return false;
  }
  if (free_.empty()) reclaim();
  lacks_frames_ = free_.empty();
  return !lacks_frames_;
}

// The kernel skips one entry a call, and tells when it has come to the end. While the interface is away it
// skips none.
bool XdpSender::skip_what_was_taken_back() {
  for (std::uint32_t calls = 0; end_ != sender_.ring.consumed(); ++calls) {
    if (calls > sender_.ring.size()) return false;
    const auto sent = sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0);
    if (sent < 0 && (errno == ENETDOWN || errno == ENXIO)) return false;
  }
  return true;
}

void XdpSender::add(const NextHop& hop, const Address& from, const Address& to, Bytes bytes,
                    std::size_t tag) {
  assert(hop.interface == interface() && !free_.empty());
  const std::uint32_t number = free_.back();
  const MutableBytes frame = queue_->frame(number);
  assert(kFrameHeaderBytesLimit + bytes.size() <= frame.size());
  const std::size_t header_bytes = headers_.write(frame, hop, from, to, bytes);
  if (!bytes.empty()) std::memcpy(frame.data() + header_bytes, bytes.data(), bytes.size());
  sender_.ring.entry<xdp_desc>(end_++) = {.addr = XdpQueue::start_of_frame(number),
                                          .len = static_cast<std::uint32_t>(header_bytes + bytes.size()),
                                          .options = 0};
  free_.pop_back();
  is_free_[number - first_frame_] = false;
  tags_.push_back(tag);
}

std::uint32_t XdpSender::push() {
  sender_.ring.set_produced(end_);
  std::uint32_t left = end_ - sender_.ring.consumed();
  while (left > 0) {
    // Whether it fails is not asked: it does so after a part as well, and where it has no room.
    (void)sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0);
    const std::uint32_t left_now = end_ - sender_.ring.consumed();
    if (left_now == left) break;
    left = left_now;
  }
  return left;
}

// Returns how many of those that wait went.
std::size_t XdpSender::send() {
  if (tags_.empty()) return 0;
  const std::size_t left = std::min<std::size_t>(push(), tags_.size());
  if (left > 0) {
    take_back(static_cast<std::uint32_t>(left));
    has_failed_ = true;
  }
  reclaim();
  return tags_.size() - left;
}

// The kernel reads entries only while it is called, so they are still ours to change; it must not send them
// later, when they have long gone another way.
void XdpSender::take_back(std::uint32_t count) {
  for (std::uint32_t at = end_ - count; at != end_; ++at) {
    xdp_desc& entry = sender_.ring.entry<xdp_desc>(at);
    set_free(XdpQueue::frame_at(entry.addr));
    entry = kNoFrame;
  }
}

// Where the interface has no carrier the kernel drops frames, and tells it of each frame but not by the ring:
// those were taken back already.
void XdpSender::reclaim() {
  done_.clear();
  queue_->reclaim(user_, done_);
  for (const std::uint32_t number : done_)
    if (!is_free_[number - first_frame_]) set_free(number);
}

}  // namespace offhook::io
