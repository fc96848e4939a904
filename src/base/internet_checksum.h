#pragma once
// The checksum of IP and UDP (RFC 1071), over bytes as they lie in memory: no order of bytes to mind.

#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace offhook {

// Adds `bytes` to a sum that begins with 0. An odd number of bytes only at the end of what is summed. Good
// for 8 GiB.
inline std::uint64_t add_to_checksum(std::uint64_t sum, Bytes bytes) {
  const auto word_at = [&](std::size_t at, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, size);
    return word;
  };
  // Halves that cannot overflow, of several words that need not wait for each other.
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::size_t at = 0;
  for (; at + 32 <= bytes.size(); at += 32) {
    const std::uint64_t a = word_at(at, 8);
    const std::uint64_t b = word_at(at + 8, 8);
    const std::uint64_t c = word_at(at + 16, 8);
    const std::uint64_t d = word_at(at + 24, 8);
    low += ((a & 0xFFFFFFFFU) + (b & 0xFFFFFFFFU)) + ((c & 0xFFFFFFFFU) + (d & 0xFFFFFFFFU));
    high += ((a >> 32U) + (b >> 32U)) + ((c >> 32U) + (d >> 32U));
  }
  for (; at + 4 <= bytes.size(); at += 4) low += word_at(at, 4);
  if (at < bytes.size()) low += word_at(at, bytes.size() - at);
  return sum + low + high;
}

// What the field of the header holds, as it lies in memory.
inline std::uint16_t finish_checksum(std::uint64_t sum) {
  while (sum >> 16U != 0) sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace offhook
