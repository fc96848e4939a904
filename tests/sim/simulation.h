#pragma once
// One simulation: the servers' cores, the network, the devices and their people, from a plan.

#include <optional>
#include <string>

#include "plan.h"
#include "tally.h"
#include "violation.h"

namespace offhook::sim {

struct Outcome {
  std::optional<Violation> violation;
  Tally tally;
  Duration elapsed{};
};

// The trace is appended to `trace`, if there is one.
Outcome simulate(const Plan& plan, std::string* trace);

}  // namespace offhook::sim
