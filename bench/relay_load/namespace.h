#pragma once
// Sockets inside a network namespace that is not the thread's own.

#include <string>

#include "base/result.h"
#include "io/loop/fd.h"

namespace offhook::bench {

// A non-blocking IPv4 socket of `type` (SOCK_DGRAM, SOCK_STREAM) in the namespace at `netns_path`, such as
// /run/netns/NAME; empty stays in the namespace of the process. It remains there for its whole life. The
// error says what failed.
Result<io::Fd, std::string> socket_inside(const std::string& netns_path, int type);

// What failed, and how: errno in words.
std::string failure(const char* what);

}  // namespace offhook::bench
