#include "service/relay/ready_probe.h"

#include <spdlog/spdlog.h>

namespace offhook::relay {
namespace {

// A relayed echo on this machine takes a millisecond; longer than this, something is wrong.
constexpr std::chrono::milliseconds kPatience{2000};
constexpr std::chrono::seconds kPauseAfterFailure{5};

}  // namespace

ReadyProbe::ReadyProbe(const RelayService& relay) : relay_(relay), thread_([this] { run(); }) {}

ReadyProbe::~ReadyProbe() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_all();
  thread_.join();
}

std::string ReadyProbe::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

void ReadyProbe::run() {
  for (;;) {
    const auto checked = relay_.self_check(kPatience);
    std::unique_lock lock(mutex_);
    reason_ = checked ? "" : "a relayed echo through this server failed: " + checked.error();
    if (checked) return;
    spdlog::error("not ready: {}", reason_);
    if (stopping_changed_.wait_for(lock, kPauseAfterFailure, [this] { return stopping_; })) return;
  }
}

}  // namespace offhook::relay
