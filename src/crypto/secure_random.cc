#include "crypto/secure_random.h"

#include <openssl/rand.h>

#include <cstdlib>

namespace offhook::crypto {

void SecureRandom::fill(MutableBytes target) {
  // Without randomness there are no safe ports, nonces or ids: better to stop than to guess.
  if (!target.empty() && RAND_bytes(target.data(), static_cast<int>(target.size())) != 1) std::abort();
}

}  // namespace offhook::crypto
