#pragma once
// ChannelData (RFC 8656 section 12.4) and the numbers that channels may have (section 12).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |         Channel Number        |            Length             |
//   /                       Application Data                        /
//
// On streams the message is padded to a multiple of four bytes; the length does not count the padding.

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace offhook::turn {

inline constexpr std::size_t kChannelDataHeaderBytes = 4;
inline constexpr std::uint16_t kChannelNumberFirst = 0x4000;
inline constexpr std::uint16_t kChannelNumberLast = 0x4FFF;
// RFC 5766 let clients choose up to here; the first two bits still say ChannelData.
inline constexpr std::uint16_t kChannelNumberLastRfc5766 = 0x7FFF;

// Can these be the first two bytes of ChannelData? Which numbers may be bound is the server's setting.
constexpr bool is_channel_number(std::uint16_t number) {
  return number >= kChannelNumberFirst && number <= kChannelNumberLastRfc5766;
}

struct ChannelData {
  std::uint16_t channel_number = 0;
  Bytes payload;  // borrows from the datagram
};

// Nothing if the bytes are no ChannelData, if the number is outside 0x4000-0x7FFF, or if the length says more
// than there is. Bytes after the payload are padding and are ignored (section 12.6).
std::optional<ChannelData> parse_channel_data(Bytes datagram);

// Writes the four header bytes for a payload of this size. `header` has kChannelDataHeaderBytes or more.
void write_channel_data_header(MutableBytes header, std::uint16_t channel_number,
                               std::uint16_t payload_bytes);

constexpr std::size_t padded_to_four(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

}  // namespace offhook::turn
