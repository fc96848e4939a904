#include "wire/turn/stream_framing.h"

#include <algorithm>
#include <cassert>

#include "wire/stun/message.h"
#include "wire/turn/channel_data.h"

namespace offhook::turn {
namespace {

// Of both kinds: two bytes that tell the kind, two of length.
constexpr std::size_t kPrefixBytes = 4;
constexpr std::size_t kCookieEnd = 8;

struct FrameSize {
  std::size_t frame = 0;      // what the caller gets
  std::size_t on_stream = 0;  // and its padding
};

enum class Verdict { whole_prefix, more, not_turn };

// Judges as early as the bytes allow, so that a stream of another protocol is closed at its first bytes
// instead of waited on.
Verdict judge(Bytes pending, FrameSize& size) {
  if (pending.empty()) return Verdict::more;
  const bool is_stun = stun::looks_like_stun(pending);
  if (!is_stun &&
      (pending[0] < (kChannelNumberFirst >> 8U) || pending[0] > (kChannelNumberLastRfc5766 >> 8U))) {
    return Verdict::not_turn;
  }
  if (pending.size() < kPrefixBytes) return Verdict::more;
  Reader reader(pending);
  reader.skip(2);
  const std::size_t length = reader.u16();
  if (!is_stun) {
    size = {kChannelDataHeaderBytes + length, kChannelDataHeaderBytes + padded_to_four(length)};
    return Verdict::whole_prefix;
  }
  if (length % 4 != 0) return Verdict::not_turn;
  if (pending.size() < kCookieEnd) return Verdict::more;
  if (reader.u32() != stun::kMagicCookie) return Verdict::not_turn;
  size = {stun::kHeaderBytes + length, stun::kHeaderBytes + length};
  return Verdict::whole_prefix;
}

}  // namespace

MutableBytes StreamFramer::space(std::size_t wanted) {
  // The unfinished frame moves to the front, so the buffer never exceeds one frame and one read. It moves
  // once: until it is whole, nothing is consumed.
  if (consumed_ > 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(consumed_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.begin());
    filled_ -= consumed_;
    consumed_ = 0;
  }
  if (buffer_.size() < filled_ + wanted) buffer_.resize(filled_ + wanted);
  return MutableBytes(buffer_).subspan(filled_);
}

void StreamFramer::filled(std::size_t bytes) {
  assert(bytes <= buffer_.size() - filled_);
  filled_ += bytes;
}

std::optional<MutableBytes> StreamFramer::next() {
  if (state_ == State::not_turn) return std::nullopt;
  const MutableBytes pending_bytes = MutableBytes(buffer_).subspan(consumed_, filled_ - consumed_);
  FrameSize size;
  switch (judge(pending_bytes, size)) {
    case Verdict::more:
      return std::nullopt;
    case Verdict::not_turn:
      state_ = State::not_turn;
      return std::nullopt;
    case Verdict::whole_prefix:
      break;
  }
  if (pending_bytes.size() < size.on_stream) return std::nullopt;
  consumed_ += size.on_stream;
  return pending_bytes.first(size.frame);
}

}  // namespace offhook::turn
