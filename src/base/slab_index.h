#pragma once
// Finds values of a slab by a name that they carry themselves. Flat, with a part of each hash beside the id,
// so that a search looks at one place here, and then at the value that it wants anyway.

#include <cassert>
#include <cstdint>
#include <vector>

#include "base/slab.h"

namespace offhook {

class SlabIndex {
 public:
  std::size_t size() const { return size_; }

  // The one of this hash for which `is_it(SlabId)` holds; a default id, which names nothing, if there is
  // none.
  template <typename IsIt>
  SlabId find(std::size_t hash, IsIt is_it) const {
    if (entries_.empty()) return {};
    for (std::size_t at = place_of(hash); is_used(entries_[at]); at = next(at)) {
      if (entries_[at].hash == shortened(hash) && is_it(entries_[at].id)) return entries_[at].id;
    }
    return {};
  }

  // Requires an id that names a value and is not there yet.
  void insert(std::size_t hash, SlabId id) {
    assert(id.generation != 0);
    if ((size_ + 1) * 2 > entries_.size()) grow();
    put({shortened(hash), id});
    size_ += 1;
  }

  // Requires that it is there, with this hash.
  void erase(std::size_t hash, SlabId id) {
    std::size_t at = place_of(hash);
    while (entries_[at].id != id) {
      assert(is_used(entries_[at]));
      at = next(at);
    }
    close_gap(at);
    size_ -= 1;
  }

 private:
  static constexpr std::size_t kEntriesAtFirst = 16;
  struct Entry {
    std::uint32_t hash = 0;
    SlabId id;
  };

  static std::uint32_t shortened(std::size_t hash) { return static_cast<std::uint32_t>(hash); }
  static bool is_used(const Entry& entry) { return entry.id.generation != 0; }
  std::size_t place_of(std::size_t hash) const { return shortened(hash) & (entries_.size() - 1); }
  std::size_t next(std::size_t at) const { return (at + 1) & (entries_.size() - 1); }

  void put(const Entry& entry) {
    std::size_t at = place_of(entry.hash);
    while (is_used(entries_[at])) at = next(at);
    entries_[at] = entry;
  }

  void grow() {
    std::vector<Entry> before(entries_.empty() ? kEntriesAtFirst : entries_.size() * 2);
    before.swap(entries_);
    for (const Entry& entry : before) {
      if (is_used(entry)) put(entry);
    }
  }

  // What had to go on past the gap moves back into it, so that searches need not.
  void close_gap(std::size_t gap) {
    for (std::size_t at = next(gap); is_used(entries_[at]); at = next(at)) {
      const std::size_t wanted = place_of(entries_[at].hash);
      const std::size_t mask = entries_.size() - 1;
      if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
      entries_[gap] = entries_[at];
      gap = at;
    }
    entries_[gap] = {};
  }

  std::vector<Entry> entries_;  // a power of two, at most half of them used
  std::size_t size_ = 0;
};

}  // namespace offhook
