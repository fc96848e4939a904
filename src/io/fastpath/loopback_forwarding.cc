#include "io/fastpath/loopback_forwarding.h"

#include <algorithm>
#include <fstream>

namespace offhook::io {
namespace {

std::string setting(Family family) {
  return family == Family::ipv4 ? "net/ipv4/conf/lo/forwarding" : "net/ipv6/conf/lo/forwarding";
}

bool write_setting(const std::string& name, char value) {
  std::ofstream file("/proc/sys/" + name);
  file << value;
  file.flush();
  return file.good();
}

bool is_on(const std::string& name) {
  std::ifstream file("/proc/sys/" + name);
  char value = 0;
  return file.get(value) && value != '0';
}

}  // namespace

Result<LoopbackForwarding, std::string> LoopbackForwarding::switch_on(const std::vector<Ip>& addresses) {
  LoopbackForwarding forwarding;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const bool needed = std::ranges::any_of(addresses, [&](const Ip& ip) { return ip.family() == family; });
    const std::string name = setting(family);
    if (!needed || is_on(name)) continue;
    if (!write_setting(name, '1')) {
      std::string dotted = name;
      std::ranges::replace(dotted, '/', '.');
      return fail(dotted + " is 0 and cannot be written; run sysctl -w " + dotted + "=1");
    }
    forwarding.changed_.push_back(name);
  }
  return forwarding;
}

LoopbackForwarding::~LoopbackForwarding() {
  for (const std::string& name : changed_) (void)write_setting(name, '0');
}

}  // namespace offhook::io
