#include "crypto/secure_random.h"

#include <gtest/gtest.h>

#include <set>

namespace offhook::crypto {
namespace {

TEST(SecureRandom, FillsAllAndDoesNotRepeat) {
  SecureRandom random;
  random.fill({});
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(random.next_u64()).second);

  // The chance that a byte stays zero in all of 64 fills is 2^-512.
  Buffer ever(100);
  for (int round = 0; round < 64; ++round) {
    Buffer bytes(ever.size());
    random.fill(bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) ever[i] |= bytes[i];
  }
  for (const std::uint8_t byte : ever) EXPECT_NE(byte, 0);
}

}  // namespace
}  // namespace offhook::crypto
