#pragma once
// What everything in one simulation stands on: the plan, the time, the trace.

#include <fmt/format.h>

#include <string>

#include "plan.h"
#include "tally.h"
#include "timetable.h"
#include "violation.h"

namespace offhook::sim {

class Stage {
 public:
  // Lines of the trace go to `trace` if there is one.
  Stage(const Plan& wanted, std::string* trace) : plan(wanted), trace_(trace) {}

  bool traces() const { return trace_ != nullptr; }
  void note(const std::string& line) {
    if (trace_ == nullptr) return;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(timetable.elapsed()).count();
    *trace_ += fmt::format("{:12.6f} {}\n", static_cast<double>(micros) / 1e6, line);
  }

  Instant now() const { return timetable.now(); }

  const Plan& plan;
  Timetable timetable;
  Tally tally;
  // When something last went wrong with the server or the clock: what is late until a while after is excused.
  Instant disturbed_until{};

 private:
  std::string* trace_;
};

}  // namespace offhook::sim
