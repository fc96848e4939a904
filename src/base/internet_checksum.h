#pragma once
// The checksum of IP and UDP (RFC 1071), over bytes as they lie in memory: no order of bytes to mind.

#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace offhook {

// Adds `bytes` to a sum that begins with 0. An odd number of bytes only at the end of what is summed. Good
// for 16 GiB.
inline std::uint64_t add_to_checksum(std::uint64_t sum, Bytes bytes) {
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  if (at < bytes.size()) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, bytes.size() - at);
    sum += word;
  }
  return sum;
}

// What the field of the header holds, as it lies in memory.
inline std::uint16_t finish_checksum(std::uint64_t sum) {
  while (sum >> 16U != 0) sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace offhook
