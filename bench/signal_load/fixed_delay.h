#pragma once
// Things that are all due the same time after they were put in: a queue is enough.

#include <deque>
#include <optional>
#include <utility>

#include "base/time.h"

namespace offhook::bench {

template <typename Item>
class FixedDelay {
 public:
  explicit FixedDelay(Duration delay) : delay_(delay) {}

  void put(Item item, Instant now) { waiting_.emplace_back(now + delay_, std::move(item)); }
  Instant next() const { return waiting_.empty() ? kNever : waiting_.front().first; }
  std::optional<Item> take_due(Instant now) {
    if (waiting_.empty() || waiting_.front().first > now) return std::nullopt;
    Item item = std::move(waiting_.front().second);
    waiting_.pop_front();
    return item;
  }

 private:
  Duration delay_;
  std::deque<std::pair<Instant, Item>> waiting_;
};

}  // namespace offhook::bench
