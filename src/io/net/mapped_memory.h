#pragma once

#include <cstddef>
#include <utility>

#include "base/bytes.h"

namespace offhook::io {

// Owns pages of mmap(2) and unmaps them. Move-only.
class MappedMemory {
 public:
  MappedMemory() = default;
  // As mmap(2). Empty with an errno if the kernel refuses.
  static MappedMemory map(std::size_t bytes, int flags, int fd, std::uint64_t offset);

  MappedMemory(MappedMemory&& other) noexcept
      : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MappedMemory& operator=(MappedMemory&& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;
  ~MappedMemory();

  explicit operator bool() const { return start_ != nullptr; }
  MutableBytes bytes() const { return {start_, bytes_}; }

 private:
  std::uint8_t* start_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace offhook::io
