#pragma once
// A user with several devices is rung: when the first and the last of them hear of it, and, once one has
// accepted, when the last of the others does.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "signal_load/device.h"
#include "signal_load/latency.h"

namespace offhook::bench {

class FanOut {
 public:
  // `groups` callers, each with a user of `devices` devices. They are signed in by the caller.
  FanOut(Devices& devices, std::size_t groups, std::size_t devices_of_user);
  ~FanOut();
  // One call after the other. False if one does not come to its end; that is a fault of the crowd.
  bool run(std::size_t calls);
  std::string json() const;

 private:
  class Group;
  Crowd& crowd_;
  std::vector<std::unique_ptr<Group>> groups_;
  Latencies first_ring_;
  Latencies last_ring_;
  Latencies last_elsewhere_;
};

}  // namespace offhook::bench
