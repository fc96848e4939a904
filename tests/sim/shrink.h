#pragma once
// A failing plan made smaller, as long as it still breaks the same rule.

#include <optional>
#include <string>

#include "plan.h"

namespace offhook::sim {

struct Failure {
  std::string rule;
  std::string text;
};

// Runs the plan in a process of its own, so that a failed assertion or an endless loop is a result like any
// other. Nothing if it holds.
std::optional<Failure> try_plan(const Plan& plan);

Plan shrunk(const Plan& plan, const Failure& failure);

}  // namespace offhook::sim
