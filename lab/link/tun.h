#pragma once
// TUN devices in named network namespaces.

#include <string>

#include "base/result.h"

namespace offhook::lab {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int value) : value_(value) {}
  FileDescriptor(FileDescriptor&& other) noexcept : value_(other.value_) { other.value_ = -1; }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return value_; }
  bool is_open() const { return value_ >= 0; }

 private:
  int value_ = -1;
};

// Makes the device in the namespace (a name of `ip netns`). The device goes when the descriptor is closed.
Result<FileDescriptor, std::string> open_tun(const std::string& network_namespace, const std::string& device);

}  // namespace offhook::lab
