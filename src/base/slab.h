#pragma once
// A slab: values in stable slots, named by an index and a generation, so that a stale id finds nothing.

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace offhook {

struct SlabId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // odd while in use, so a default id never matches
  auto operator<=>(const SlabId&) const = default;
};

// Pointers returned by find() stay valid until that value is erased. Memory grows by chunks and is reused.
template <typename T>
class Slab {
 public:
  template <typename... Args>
  SlabId emplace(Args&&... args) {
    std::uint32_t index = 0;
    if (free_.empty()) {
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.generation += 1;
    slot.value.emplace(std::forward<Args>(args)...);
    size_ += 1;
    return {index, slot.generation};
  }

  T* find(SlabId id) {
    if (id.index >= slots_.size()) return nullptr;
    Slot& slot = slots_[id.index];
    return slot.generation == id.generation && slot.value ? &*slot.value : nullptr;
  }
  const T* find(SlabId id) const { return const_cast<Slab*>(this)->find(id); }

  bool erase(SlabId id) {
    if (find(id) == nullptr) return false;
    Slot& slot = slots_[id.index];
    slot.value.reset();
    slot.generation += 1;
    free_.push_back(id.index);
    size_ -= 1;
    return true;
  }

  std::size_t size() const { return size_; }

  // Calls visit(id, value) for each value, in slot order. The visitor may erase the value it is given.
  template <typename Visit>
  void for_each(Visit visit) {
    for (std::uint32_t index = 0; index < slots_.size(); ++index) {
      if (slots_[index].value) visit(SlabId{index, slots_[index].generation}, *slots_[index].value);
    }
  }

 private:
  struct Slot {
    std::uint32_t generation = 0;
    std::optional<T> value;
  };
  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace offhook

template <>
struct std::hash<offhook::SlabId> {
  std::size_t operator()(const offhook::SlabId& id) const {
    return (static_cast<std::size_t>(id.generation) << 32U) | id.index;
  }
};
