#pragma once

#include "base/random.h"

namespace offhook::crypto {

// The operating system's cryptographic generator, by way of OpenSSL. Safe to use from any thread.
class SecureRandom final : public Random {
 public:
  void fill(MutableBytes target) override;
};

}  // namespace offhook::crypto
