#pragma once
// How often each of many may do a thing: at a steady rate, with a burst. A token bucket a key, kept as one
// instant: when what was taken so far would be paid off at the allowed rate. A key that has paid off is
// forgotten.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>

#include "base/deadline_heap.h"
#include "base/time.h"

namespace offhook {

template <typename Key, typename Hash = std::hash<Key>>
class KeyedRate {
 public:
  // One each `interval` for a key, and `burst` at once after a rest. At most `keys_limit` keys are
  // remembered; beyond it the one that would be paid off first is forgotten, and may begin anew.
  KeyedRate(Duration interval, std::uint32_t burst, std::size_t keys_limit)
      : interval_(interval), credit_(interval * burst), keys_limit_(keys_limit) {}

  // Nothing if `key` may; else after how long it may, and this time is not counted.
  std::optional<Duration> take(const Key& key, Instant now) {
    forget_paid_off(now);
    const auto entry = paid_off_by_key_.find(key);
    const bool owes = entry != paid_off_by_key_.end() && entry->second > now;
    const Instant paid_off = (owes ? entry->second : now) + interval_;
    if (paid_off - now > credit_) return paid_off - now - credit_;
    if (entry == paid_off_by_key_.end() && paid_off_by_key_.size() >= keys_limit_) forget_next(kNever);
    paid_off_by_key_[key] = paid_off;
    forgotten_at_.set(key, paid_off);
    return std::nullopt;
  }

  std::size_t size() const { return paid_off_by_key_.size(); }

 private:
  // Twice as many as one take() adds, so that no single one pays for all that has gathered.
  void forget_paid_off(Instant now) {
    if (forget_next(now)) forget_next(now);
  }
  bool forget_next(Instant due) {
    const std::optional<Key> key = forgotten_at_.pop_due(due);
    if (key) paid_off_by_key_.erase(*key);
    return key.has_value();
  }

  Duration interval_;
  Duration credit_;
  std::size_t keys_limit_;
  std::unordered_map<Key, Instant, Hash> paid_off_by_key_;
  DeadlineHeap<Key, Hash> forgotten_at_;
};

}  // namespace offhook
