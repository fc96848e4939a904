#pragma once
// Virtual time: what is to happen, in order. What falls on one moment happens in the order in which it was
// entered.

#include <cassert>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/time.h"

namespace offhook::sim {

class Timetable {
 public:
  using Task = std::function<void()>;
  struct Key {
    Instant when;
    std::uint64_t number = 0;
    auto operator<=>(const Key&) const = default;
  };

  Instant now() const { return now_; }
  Duration elapsed() const { return now_ - kStart; }
  UnixTime wall() const {
    return UnixTime{1'700'000'000} + std::chrono::duration_cast<std::chrono::seconds>(elapsed());
  }
  std::uint64_t steps() const { return steps_; }

  Key at(Instant when, Task task) {
    const Key key{when < now_ ? now_ : when, ++entered_};
    tasks_.emplace(key, std::move(task));
    return key;
  }
  Key after(Duration wait, Task task) { return at(now_ + wait, std::move(task)); }
  void cancel(const Key& key) { tasks_.erase(key); }

  // Does what is next. False if there is nothing, or nothing until `limit`.
  bool step(Instant limit) {
    if (tasks_.empty() || tasks_.begin()->first.when > limit) return false;
    auto next = tasks_.extract(tasks_.begin());
    assert(next.key().when >= now_);
    now_ = next.key().when;
    steps_ += 1;
    next.mapped()();
    return true;
  }
  void pass_until(Instant when) { now_ = when > now_ ? when : now_; }

 private:
  static constexpr Instant kStart{std::chrono::hours(1)};

  Instant now_ = kStart;
  std::uint64_t entered_ = 0;
  std::uint64_t steps_ = 0;
  std::map<Key, Task> tasks_;
};

// One task that is to happen later; it never happens once its owner is gone.
class Timer {
 public:
  explicit Timer(Timetable& timetable) : timetable_(&timetable) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool is_set() const { return key_.number != 0; }
  void set(Duration wait, Timetable::Task task) {
    cancel();
    key_ = timetable_->after(wait, [this, task = std::move(task)] {
      key_ = {};
      // The task may set this timer again, or end its owner.
      const Timetable::Task last = task;
      last();
    });
  }
  void cancel() {
    if (is_set()) timetable_->cancel(key_);
    key_ = {};
  }

 private:
  Timetable* timetable_;
  Timetable::Key key_;
};

}  // namespace offhook::sim
