#include "core/credentials/api_keys.h"

namespace offhook::credentials {

ApiKeys::ApiKeys(const std::vector<Secret>& keys) {
  for (const Secret& key : keys) digests_.push_back(crypto::sha256(as_bytes(key.reveal())));
}

bool ApiKeys::contains(std::string_view given) const {
  const crypto::Sha256Digest digest = crypto::sha256(as_bytes(given));
  bool found = false;
  for (const crypto::Sha256Digest& key : digests_) {
    const bool equal = crypto::constant_time_equal(key, digest);
    found = found || equal;
  }
  return found;
}

}  // namespace offhook::credentials
