#include "tun.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace offhook::lab {
namespace {

tl::unexpected<std::string> failed(const std::string& what) {
  return fail(fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (value_ >= 0) ::close(value_);
}

Result<FileDescriptor, std::string> open_tun(const std::string& network_namespace,
                                             const std::string& device) {
  if (device.empty() || device.size() >= IFNAMSIZ) return fail("no device name: " + device);
  const std::string path = "/run/netns/" + network_namespace;
  const FileDescriptor target(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!target.is_open()) return failed(path);
  const FileDescriptor own(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!own.is_open()) return failed("/proc/self/ns/net");

  if (::setns(target.get(), CLONE_NEWNET) != 0) return failed("setns " + path);
  FileDescriptor tun(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::memcpy(request.ifr_name, device.c_str(), device.size());
  const bool made = tun.is_open() && ::ioctl(tun.get(), TUNSETIFF, &request) == 0;
  const int made_errno = errno;
  // Staying in the wrong namespace would put every later device there.
  if (::setns(own.get(), CLONE_NEWNET) != 0) return failed("setns back");
  errno = made_errno;
  if (!made) return failed("tun " + network_namespace + " " + device);
  return tun;
}

}  // namespace offhook::lab
