#pragma once
// What happened in a call and when, for its record.

#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "core/call/effects.h"

namespace offhook::call {

inline std::uint64_t whole_milliseconds(Duration span) {
  return span < Duration::zero() ? 0
                                 : static_cast<std::uint64_t>(
                                       std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
}

class Timeline {
 public:
  // A call that connects has about 20 entries; the rest is room for repairs. What comes later is left out,
  // but the end has its place always.
  static constexpr std::size_t kMaxEntries = 64;

  explicit Timeline(Instant began) : began_(began) {}
  void add(Instant now, std::string event) {
    if (entries_.size() + 1 < kMaxEntries)
      entries_.push_back({whole_milliseconds(now - began_), std::move(event)});
  }
  std::vector<TimelineEntry> finish(Instant now, std::string event) {
    entries_.push_back({whole_milliseconds(now - began_), std::move(event)});
    return std::move(entries_);
  }
  Instant began() const { return began_; }
  const std::vector<TimelineEntry>& entries() const { return entries_; }
  std::size_t size() const { return entries_.size(); }

 private:
  Instant began_;
  std::vector<TimelineEntry> entries_;
};

}  // namespace offhook::call
