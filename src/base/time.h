#pragma once
// Types of time, and no clock: whoever owns a loop reads the clock (io/loop/clock.h) once a batch and passes
// `Now` down.

#include <chrono>
#include <cstdint>

namespace offhook {

// Monotonic time. The tag has no now(): the pure floors cannot read a clock through it.
struct MonotonicTag {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicTag>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicTag::time_point;
using Duration = std::chrono::nanoseconds;

// Seconds since 1970-01-01 UTC. Used for credential and token expiry alone; every deadline is an Instant.
struct UnixTime {
  std::int64_t seconds = 0;
  auto operator<=>(const UnixTime&) const = default;
};
inline UnixTime operator+(UnixTime time, std::chrono::seconds span) { return {time.seconds + span.count()}; }

struct Now {
  Instant monotonic;
  UnixTime wall;
};

inline constexpr Instant kNever = Instant::max();

}  // namespace offhook
