#include "relay_load/namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace offhook::bench {

std::string failure(const char* what) { return fmt::format("{}: {}", what, std::strerror(errno)); }

Result<void, std::string> inside(const std::string& netns_path,
                                 const std::function<Result<void, std::string>()>& work) {
  if (netns_path.empty()) return work();
  const io::Fd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const io::Fd away(::open(netns_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!home || !away) return fail(failure(netns_path.c_str()));
  if (::setns(away.get(), CLONE_NEWNET) != 0) return fail(failure("setns (root is needed)"));
  auto done = work();
  if (::setns(home.get(), CLONE_NEWNET) != 0) return fail(failure("setns back"));
  return done;
}

Result<io::Fd, std::string> socket_inside(const std::string& netns_path, int type) {
  io::Fd fd;
  auto made = inside(netns_path, [&]() -> Result<void, std::string> {
    fd = io::Fd(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return fail(failure("socket"));
    return {};
  });
  if (!made) return fail(made.error());
  return fd;
}

}  // namespace offhook::bench
