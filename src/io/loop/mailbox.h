#pragma once
// A bounded mailbox into a loop. For commands, never for packets: posting takes a lock.

#include <atomic>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include "io/loop/wake_up.h"

namespace offhook::io {

template <typename T>
class Mailbox {
 public:
  explicit Mailbox(std::size_t limit) : limit_(limit) {}

  // From any thread. False if `limit` letters wait already; the letter is then dropped.
  [[nodiscard]] bool post(T letter) {
    {
      const std::scoped_lock lock(mutex_);
      if (letters_.size() >= limit_) return false;
      if (!put(std::move(letter))) return true;
    }
    wake_up_.ring();
    return true;
  }

  // As post(), but the loop is woken only once `patience` letters wait: for letters that matter to nothing
  // that it does before it looks (waiting()).
  [[nodiscard]] bool post_quietly(T letter, std::size_t patience) {
    {
      const std::scoped_lock lock(mutex_);
      if (letters_.size() >= limit_) return false;
      if (!put(std::move(letter), patience)) return true;
    }
    wake_up_.ring();
    return true;
  }

  // For letters that must not be lost, and of which there are no more than of something else that has a
  // limit.
  void post_always(T letter) {
    {
      const std::scoped_lock lock(mutex_);
      if (!put(std::move(letter))) return;
    }
    wake_up_.ring();
  }

  // Letters wait; says it before the descriptor wakes the loop. What the loop receives after a letter was
  // posted is received with this true: whoever looks before it acts, acts after the letter.
  bool waiting() const { return waiting_.load(std::memory_order_acquire); }
  // For the loop: the descriptor to watch, and all that waits, oldest first.
  int fd() const { return wake_up_.fd(); }
  std::vector<T> take() {
    wake_up_.clear();
    const std::scoped_lock lock(mutex_);
    waiting_ = false;
    rung_ = false;
    return std::exchange(letters_, {});
  }

 private:
  // Under the lock. Whether to ring: once until the loop takes all that waits.
  bool put(T letter, std::size_t patience = 1) {
    letters_.push_back(std::move(letter));
    waiting_ = true;
    if (rung_ || letters_.size() < patience) return false;
    rung_ = true;
    return true;
  }

  const std::size_t limit_;
  WakeUp wake_up_;
  std::mutex mutex_;
  std::atomic<bool> waiting_ = false;
  bool rung_ = false;  // since the last take()
  std::vector<T> letters_;
};

}  // namespace offhook::io
