#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace offhook::io {

// The kernel looks routes up for a program only as if for a packet that came in at an interface which
// forwards. The program names the loopback interface: its routes are those of packets that this machine
// sends, and nothing from outside comes in there, so that no router is made of the machine. Given back on
// destruction.
class LoopbackForwarding {
 public:
  // Of the families that these addresses have. The error says what to do about it.
  static Result<LoopbackForwarding, std::string> switch_on(const std::vector<Ip>& addresses);
  LoopbackForwarding(LoopbackForwarding&& other) noexcept : changed_(std::move(other.changed_)) {
    other.changed_.clear();
  }
  LoopbackForwarding& operator=(LoopbackForwarding&&) = delete;
  ~LoopbackForwarding();

 private:
  LoopbackForwarding() = default;
  std::vector<std::string> changed_;  // files under /proc/sys
};

}  // namespace offhook::io
