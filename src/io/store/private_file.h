#pragma once
// Small files of the state directory. All are readable by their owner alone (0600 in a 0700 directory).

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace offhook::io {

struct FileError {
  std::string path;
  int error = 0;        // errno
  std::string message;  // what happened and what to do
};

// The whole file; at most 1 MiB.
Result<std::string, FileError> read_file(const std::string& path);
// Writes beside it and renames, so that a reader sees the old or the new text, never half. Creates the
// directory.
Result<void, FileError> write_private_file(const std::string& path, std::string_view text);
// Gone when it returns; that it was not there is no error.
Result<void, FileError> remove_file(const std::string& path);
bool file_exists(const std::string& path);
// Changes whenever the file is replaced or written, or its owner or mode changes; 0 if it is not there.
std::uint64_t file_version(const std::string& path);

}  // namespace offhook::io
