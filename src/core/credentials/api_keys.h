#pragma once
// The keys by which the app's backend shows who it is. They open everything, so nothing else opens it.

#include <string_view>
#include <vector>

#include "base/redact.h"
#include "crypto/digest.h"

namespace offhook::credentials {

class ApiKeys {
 public:
  explicit ApiKeys(const std::vector<Secret>& keys);
  // In a time that tells neither which key it is, nor how much of one is right, nor how long one is.
  bool contains(std::string_view given) const;

 private:
  std::vector<crypto::Sha256Digest> digests_;
};

}  // namespace offhook::credentials
