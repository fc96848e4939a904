#include "relay_load/namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace offhook::bench {
namespace {

Result<io::Fd, std::string> make_socket(int type) {
  io::Fd fd(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(failure("socket"));
  return fd;
}

}  // namespace

std::string failure(const char* what) { return fmt::format("{}: {}", what, std::strerror(errno)); }

// Makes it with the thread in the other namespace, and comes back.
Result<io::Fd, std::string> socket_inside(const std::string& netns_path, int type) {
  if (netns_path.empty()) return make_socket(type);
  const io::Fd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const io::Fd away(::open(netns_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!home || !away) return fail(failure(netns_path.c_str()));
  if (::setns(away.get(), CLONE_NEWNET) != 0) return fail(failure("setns (root is needed)"));
  auto made = make_socket(type);
  if (::setns(home.get(), CLONE_NEWNET) != 0) return fail(failure("setns back"));
  return made;
}

}  // namespace offhook::bench
