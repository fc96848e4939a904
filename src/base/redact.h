#pragma once
// Values that must not reach a log. A Secret has no stream operator and no formatter, and wipes itself.

#include <string>
#include <string_view>
#include <utility>

#include "base/address.h"

namespace offhook {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) = default;
  ~Secret() {
    volatile char* at = value_.data();
    for (std::size_t i = 0; i < value_.size(); ++i) at[i] = 0;
  }
  // Named so that a reader of the call sees that the secret leaves its wrapper here.
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

// For logs: keeps the network and hides the host (203.0.113.x, 2001:db8:1::/48).
std::string redacted(const Ip& ip);

}  // namespace offhook
