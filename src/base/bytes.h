#pragma once
// Views of bytes, and the one bounds-checked way to read untrusted ones.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace offhook {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string to_string(Bytes bytes) { return std::string(as_text(bytes)); }
inline bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// Reads network-order integers and slices off the front of `bytes`.
// Failure is sticky: the first read past the end makes ok() false, and from then on every read returns zeros
// or an empty slice. So a parser reads straight through and checks ok() once, before it believes anything it
// read. The reader borrows; the bytes must outlive it and the slices it returns.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t remaining() const { return rest_.size(); }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }

  Bytes take(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Bytes head = rest_.first(count);
    rest_ = rest_.subspan(count);
    return head;
  }
  Bytes take_rest() { return take(rest_.size()); }
  void skip(std::size_t count) { (void)take(count); }

 private:
  std::uint64_t number(std::size_t width) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : take(width)) value = (value << 8U) | byte;
    return value;
  }

  Bytes rest_;
  bool ok_ = true;
};

// Writes network-order integers and slices into a fixed buffer. Overflow is sticky, as in Reader: ok() turns
// false, nothing is written past the end, and written() stays what fitted.
class Writer {
 public:
  explicit Writer(MutableBytes buffer) : buffer_(buffer) {}

  bool ok() const { return ok_; }
  std::size_t size() const { return size_; }
  Bytes written() const { return buffer_.first(size_); }

  void u8(std::uint8_t value) { number(value, 1); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void bytes(Bytes source) {
    MutableBytes target = reserve(source.size());
    if (!target.empty()) std::memcpy(target.data(), source.data(), source.size());
  }
  void text(std::string_view source) { bytes(as_bytes(source)); }
  void zeros(std::size_t count) {
    MutableBytes target = reserve(count);
    if (!target.empty()) std::memset(target.data(), 0, target.size());
  }
  // Overwrites two bytes already written, such as a length that is known only at the end.
  void patch_u16(std::size_t offset, std::uint16_t value) {
    if (!ok_ || offset + 2 > size_) {
      ok_ = false;
      return;
    }
    buffer_[offset] = static_cast<std::uint8_t>(value >> 8U);
    buffer_[offset + 1] = static_cast<std::uint8_t>(value & 0xFFU);
  }

 private:
  MutableBytes reserve(std::size_t count) {
    if (!ok_ || count > buffer_.size() - size_) {
      ok_ = false;
      return {};
    }
    MutableBytes slice = buffer_.subspan(size_, count);
    size_ += count;
    return slice;
  }
  void number(std::uint64_t value, std::size_t width) {
    MutableBytes target = reserve(width);
    if (target.empty()) return;
    for (std::size_t i = width; i > 0; --i) {
      target[i - 1] = static_cast<std::uint8_t>(value & 0xFFU);
      value >>= 8U;
    }
  }

  MutableBytes buffer_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace offhook
