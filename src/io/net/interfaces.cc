#include "io/net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <memory>

#include "io/net/socket_address.h"

namespace offhook::io {
namespace {

std::optional<Ip> ip_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  SocketAddress copy{};
  if (address->sa_family == AF_INET) {
    std::memcpy(&copy.ipv4, address, sizeof copy.ipv4);
  } else if (address->sa_family == AF_INET6) {
    std::memcpy(&copy.ipv6, address, sizeof copy.ipv6);
    if (IN6_IS_ADDR_LINKLOCAL(&copy.ipv6.sin6_addr)) return std::nullopt;
  }
  const auto with_port = to_address(copy);
  if (!with_port) return std::nullopt;
  return with_port->ip;
}

}  // namespace

std::vector<Ip> interface_addresses() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(first, &freeifaddrs);
  std::vector<Ip> found;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if ((entry->ifa_flags & IFF_UP) == 0) continue;
    const auto ip = ip_of(entry->ifa_addr);
    if (ip && std::find(found.begin(), found.end(), *ip) == found.end()) found.push_back(*ip);
  }
  std::stable_partition(found.begin(), found.end(), [](const Ip& ip) { return ip.is_v4(); });
  return found;
}

}  // namespace offhook::io
