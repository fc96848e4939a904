#pragma once
// The table of descriptors of one thread. The limit of open files counts per table, so threads with tables of
// their own may together hold more than one process is allowed; and a table of one thread alone spares its
// system calls the reference count that a shared one costs.
//
// A descriptor's number then means nothing in another thread: what was opened here is closed here, and goes
// elsewhere only by DescriptorQueue.

#include <vector>

#include "base/result.h"
#include "io/net/system_error.h"

namespace offhook::io {

// Gives the calling thread a table of its own that holds 0, 1, 2 and `keep`, under the same numbers, and
// nothing else: a copy of a stranger's socket would keep its port bound after the stranger has closed it. The
// other threads' table stays as it is. An error (a kernel before 5.9, a sandbox) changes nothing.
Result<void, SystemError> own_fd_table(std::vector<int> keep);

// Closes everything above 2. For a thread whose own_fd_table() succeeded, as its last act: the kernel wakes
// who joins a thread before it lets go of the thread's table, and until then ports stay bound.
void close_own_fd_table();

}  // namespace offhook::io
