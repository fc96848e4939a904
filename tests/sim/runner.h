#pragma once
// Many seeds, over several processes: a failed assertion of the core names its seed like any broken rule.

#include <cstdint>
#include <optional>
#include <string>

#include "tally.h"

namespace offhook::sim {

struct Run {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  unsigned jobs = 1;
  bool shows_progress = true;
};

struct Result {
  std::uint64_t done = 0;
  std::optional<std::uint64_t> failed_seed;
  Tally tally;
  double elapsed_s = 0;
  double cpu_s = 0;
};

Result run_seeds(const Run& run);

}  // namespace offhook::sim
