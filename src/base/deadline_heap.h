#pragma once
// One heap of deadlines a server: each key has at most one deadline; set, cancel and pop are O(log n).

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/time.h"

namespace offhook {

template <typename Key, typename Hash = std::hash<Key>>
class DeadlineHeap {
 public:
  // Gives `key` this deadline in place of any it had. kNever cancels.
  void set(const Key& key, Instant deadline) {
    if (deadline == kNever) {
      cancel(key);
      return;
    }
    const auto [entry, added] = position_by_key_.try_emplace(key, heap_.size());
    if (added) heap_.push_back({deadline, key});
    heap_[entry->second].deadline = deadline;
    sift(entry->second);
  }

  void cancel(const Key& key) {
    const auto entry = position_by_key_.find(key);
    if (entry == position_by_key_.end()) return;
    const std::size_t hole = entry->second;
    position_by_key_.erase(entry);
    if (hole + 1 != heap_.size()) {
      heap_[hole] = std::move(heap_.back());
      position_by_key_[heap_[hole].key] = hole;
      heap_.pop_back();
      sift(hole);
    } else {
      heap_.pop_back();
    }
  }

  // The earliest deadline, or kNever.
  Instant next() const { return heap_.empty() ? kNever : heap_.front().deadline; }

  // Removes and returns the earliest key whose deadline is at or before `now`.
  std::optional<Key> pop_due(Instant now) {
    if (heap_.empty() || heap_.front().deadline > now) return std::nullopt;
    Key key = heap_.front().key;
    cancel(key);
    return key;
  }

  std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    Instant deadline;
    Key key;
  };

  void sift(std::size_t at) {
    while (at > 0 && heap_[at].deadline < heap_[(at - 1) / 2].deadline) {
      swap_entries(at, (at - 1) / 2);
      at = (at - 1) / 2;
    }
    for (;;) {
      std::size_t least = at;
      for (std::size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_.size(); ++child) {
        if (heap_[child].deadline < heap_[least].deadline) least = child;
      }
      if (least == at) return;
      swap_entries(at, least);
      at = least;
    }
  }
  void swap_entries(std::size_t a, std::size_t b) {
    std::swap(heap_[a], heap_[b]);
    position_by_key_[heap_[a].key] = a;
    position_by_key_[heap_[b].key] = b;
  }

  std::vector<Entry> heap_;
  std::unordered_map<Key, std::size_t, Hash> position_by_key_;
};

}  // namespace offhook
