#include "io/net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "io/loop/fd.h"
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

// Calls `visit` for each address of each interface that is up.
template <typename Visit>
void for_each_address(Visit visit) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(first, &freeifaddrs);
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const auto ip = (entry->ifa_flags & IFF_UP) == 0 ? std::nullopt : ip_of(entry->ifa_addr);
    if (ip) visit(*entry, *ip);
  }
}

bool is_ethernet(const char* interface) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq about{};
  (void)std::snprintf(about.ifr_name, sizeof about.ifr_name, "%s", interface);
  return socket && ioctl(socket.get(), SIOCGIFHWADDR, &about) == 0 &&
         about.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

template <typename Value>
void add_once(std::vector<Value>& values, const Value& value) {
  if (std::ranges::find(values, value) == values.end()) values.push_back(value);
}

}  // namespace

std::vector<Ip> interface_addresses() {
  std::vector<Ip> found;
  for_each_address([&](const ifaddrs&, const Ip& ip) { add_once(found, ip); });
  std::stable_partition(found.begin(), found.end(), [](const Ip& ip) { return ip.is_v4(); });
  return found;
}

std::vector<int> ethernet_interfaces_with(const std::vector<Ip>& ips) {
  constexpr unsigned kNotEthernet = IFF_LOOPBACK | IFF_NOARP | IFF_POINTOPOINT;
  std::vector<int> found;
  for_each_address([&](const ifaddrs& entry, const Ip& ip) {
    if ((entry.ifa_flags & kNotEthernet) != 0 || std::ranges::find(ips, ip) == ips.end()) return;
    const auto interface = static_cast<int>(if_nametoindex(entry.ifa_name));
    if (interface != 0 && is_ethernet(entry.ifa_name)) add_once(found, interface);
  });
  return found;
}

std::string interface_name(int index) {
  std::array<char, IF_NAMESIZE> name{};
  const char* known = if_indextoname(static_cast<unsigned>(index), name.data());
  return known != nullptr ? known : "interface " + std::to_string(index);
}

}  // namespace offhook::io
