#pragma once
// Work inside a network namespace that is not the thread's own.

#include <functional>
#include <string>

#include "base/result.h"
#include "io/loop/fd.h"

namespace offhook::bench {

// Does `work` with this thread in the namespace at `netns_path`, such as /run/netns/NAME (empty: where it
// is), and comes back. The error is that of `work`, or says what failed.
Result<void, std::string> inside(const std::string& netns_path,
                                 const std::function<Result<void, std::string>()>& work);

// A non-blocking IPv4 socket of `type` (SOCK_DGRAM, SOCK_STREAM) in the namespace at `netns_path`, as
// inside() has it. It remains there for its whole life. The
// error says what failed.
Result<io::Fd, std::string> socket_inside(const std::string& netns_path, int type);

// What failed, and how: errno in words.
std::string failure(const char* what);

}  // namespace offhook::bench
