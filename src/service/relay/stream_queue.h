#pragma once
// What waits for a stream client: whole packets in their order. Media grows stale while it waits, and can be
// taken out packet by packet; control replies stay.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace offhook::relay {

class StreamQueue {
 public:
  enum class Kind : std::uint8_t { media, control };

  void add(Bytes packet, Kind kind, Instant now);
  bool empty() const { return bytes() == 0; }
  // That have not been sent.
  std::size_t bytes() const { return buffer_.size() - sent_; }
  // How much memory it keeps while it is empty.
  std::size_t capacity() const { return buffer_.capacity(); }

  // Valid until the next change.
  Bytes unsent() const { return Bytes(buffer_).subspan(sent_); }
  // Precondition: bytes <= bytes().
  void handle_sent(std::size_t bytes);
  // So many of the bytes that are to be sent next have to be offered again as they are
  // (io::TlsConnection::write()): what they belong to is not taken out before something has been sent.
  void hold(std::size_t bytes) { held_ = bytes; }

  // Whether there is media, of which no byte has been sent, that came before `time`.
  bool has_media_before(Instant time) const;
  // Both take out media alone, and nothing of which a byte has been sent, and return how many packets.
  // Those that came before `time`.
  std::size_t drop_media_before(Instant time);
  // The oldest, until `bytes` are free or no more is left.
  std::size_t drop_oldest_media(std::size_t bytes);

 private:
  struct Packet {
    std::uint32_t bytes = 0;
    Kind kind = Kind::media;
    Instant came_at;
  };
  template <typename IsStale>
  std::size_t take_out(IsStale is_stale);
  void forget_sent();

  // packets_[first_] begins at sent_ - first_sent_ of buffer_.
  Buffer buffer_;
  std::size_t sent_ = 0;
  std::size_t held_ = 0;
  std::vector<Packet> packets_;
  std::size_t first_ = 0;
  std::size_t first_sent_ = 0;  // of the first one's bytes
};

}  // namespace offhook::relay
