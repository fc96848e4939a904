#pragma once
// Times that were measured, and what is told of them.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/time.h"

namespace offhook::bench {

inline double milliseconds(Duration span) { return static_cast<double>(span.count()) * 1e-6; }

class Latencies {
 public:
  void add(Duration span) { spans_.push_back(span); }

  // {"count","p50_ms","p99_ms","max_ms"}: the nearest-rank percentiles; null times if nothing was measured.
  std::string json() const {
    if (spans_.empty()) return R"({"count":0,"p50_ms":null,"p99_ms":null,"max_ms":null})";
    std::vector<Duration> sorted = spans_;
    std::sort(sorted.begin(), sorted.end());
    const auto at = [&sorted](double share) {
      const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
      return milliseconds(sorted[std::max<std::size_t>(rank, 1) - 1]);
    };
    return fmt::format(R"({{"count":{},"p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f}}})", sorted.size(),
                       at(0.50), at(0.99), at(1.0));
  }

 private:
  std::vector<Duration> spans_;
};

}  // namespace offhook::bench
