#pragma once

#include <cstdint>

namespace offhook::io {

// Raises this process's limit of open files to its hard limit, and beyond it to `wanted` where the process is
// privileged. Returns the limit that now holds.
std::uint64_t raise_fd_limit(std::uint64_t wanted);

}  // namespace offhook::io
