#pragma once
// Asks the relay's self-check in a thread of its own until it passes, so that the control thread never waits
// for it.

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "service/relay/relay_service.h"

namespace offhook::relay {

class ReadyProbe {
 public:
  // The relay was started and outlives the probe.
  explicit ReadyProbe(const RelayService& relay);
  ~ReadyProbe();  // joins
  ReadyProbe(const ReadyProbe&) = delete;
  ReadyProbe& operator=(const ReadyProbe&) = delete;

  // What the last check found: an empty text is "ready". Any thread.
  std::string reason() const;

 private:
  void run();

  const RelayService& relay_;
  mutable std::mutex mutex_;
  std::condition_variable stopping_changed_;
  std::string reason_ = "the self-check of the relay is under way";
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace offhook::relay
