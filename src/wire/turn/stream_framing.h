#pragma once
// Cuts a byte stream (TCP, TLS) into STUN messages and ChannelData (RFC 8656 section 12.5: no other framing).
//
// Invariant: 0 <= consumed_ <= filled_ <= capacity. Bytes before consumed_ belong to frames already returned.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace offhook::turn {

// The largest frame: a STUN message whose length says 65,532, after its header of 20. The largest ChannelData
// has 65,540 bytes with header and padding.
inline constexpr std::size_t kStreamFrameBytesLimit = 20 + 65532;

class StreamFramer {
 public:
  enum class State { ok, not_turn };  // not_turn: the stream holds something else; close it

  // Where the next read may write: at least `wanted` bytes. Invalidates frames returned before.
  MutableBytes space(std::size_t wanted);
  // Says how many bytes the read wrote into space().
  void filled(std::size_t bytes);
  // The next whole frame, without ChannelData's padding; nothing if more bytes are needed. The frame stays
  // valid (and may be changed in place) until the next space().
  std::optional<MutableBytes> next();
  State state() const { return state_; }
  // Bytes of an unfinished frame; a deadline starts when this is not zero.
  std::size_t pending() const { return filled_ - consumed_; }

 private:
  std::vector<std::uint8_t>
      buffer_;  // grows to the largest frame seen, starts empty: an idle stream costs nothing
  std::size_t consumed_ = 0;
  std::size_t filled_ = 0;
  State state_ = State::ok;
};

}  // namespace offhook::turn
