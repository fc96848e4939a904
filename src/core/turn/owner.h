#pragma once
// Whose an allocation is: the user name and key that made it. Every later request on it must carry the same
// (RFC 8656 section 5).

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "wire/stun/long_term_key.h"

namespace offhook::turn {

// How a key was made of a password (RFC 8489 section 18.5.1).
enum class PasswordAlgorithm : std::uint8_t { md5, sha256 };

class LongTermKey {
 public:
  LongTermKey() = default;
  explicit LongTermKey(Bytes key) : size_(static_cast<std::uint8_t>(key.size())) {
    Writer(bytes_).bytes(key);  // 16 or 32 bytes
  }
  Bytes bytes() const { return Bytes(bytes_).first(size_); }

 private:
  std::array<std::uint8_t, 32> bytes_{};
  std::uint8_t size_ = 0;
};

struct Owner {
  std::string username;
  PasswordAlgorithm algorithm = PasswordAlgorithm::md5;
  LongTermKey key;
};

}  // namespace offhook::turn
