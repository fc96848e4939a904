#include "io/loop/fd.h"

#include <unistd.h>

namespace offhook::io {

void Fd::close() {
  // EINTR from close() leaves the descriptor closed on Linux; retrying would close a stranger's.
  if (fd_ >= 0) (void)::close(std::exchange(fd_, -1));
}

}  // namespace offhook::io
