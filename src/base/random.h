#pragma once
// Randomness is injected, so that the pure floors can be replayed from a seed. The server's source is
// crypto/secure_random.h; tests use a seeded one.

#include <cstdint>

#include "base/bytes.h"

namespace offhook {

class Random {
 public:
  Random() = default;
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;
  virtual ~Random() = default;
  virtual void fill(MutableBytes target) = 0;

  std::uint64_t next_u64() {
    std::uint8_t raw[8];
    fill(raw);
    return Reader(raw).u64();
  }
  // Uniform in [0, bound). bound > 0. Rejection keeps it free of modulo bias.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t value = next_u64();
    while (value >= limit) value = next_u64();
    return value % bound;
  }
};

}  // namespace offhook
