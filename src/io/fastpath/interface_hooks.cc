#include "io/fastpath/interface_hooks.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "io/fastpath/xdp_features.h"

namespace offhook::io {
namespace {

// BPF_TCX_INGRESS, which is younger than the headers that we build with.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);

std::optional<Ip> ip_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, address, sizeof ipv4);
    return Ip::v4(ntohl(ipv4.sin_addr.s_addr));
  }
  if (address->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 ipv6{};
  std::memcpy(&ipv6, address, sizeof ipv6);
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &ipv6.sin6_addr, octets.size());
  return Ip::v6(octets);
}

int create_xdp_link(int program, const Interface& interface, std::uint32_t flags) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
  return bpf_link_create(program, static_cast<int>(interface.index), BPF_XDP, &options);
}

std::string driver_of(const Interface& interface) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_drvinfo facts{};
  facts.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  interface.name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&facts);
  if (!socket || ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return "";
  return facts.driver;
}

std::string attach_error(const Interface& interface, const char* hook, int code) {
  switch (code) {
    case EBUSY:
    case EEXIST:
      return fmt::format(
          "{} has another {} program; remove it (ip link set {} xdp off), or leave it and do without",
          interface.name, hook, interface.name);
    case EPERM:
    case EACCES:
      return fmt::format("attaching to {} is not permitted; give the process CAP_NET_ADMIN", interface.name);
    default:
      return fmt::format("{} takes no {} program: {}", interface.name, hook, std::strerror(code));
  }
}

}  // namespace

std::vector<Interface> interfaces_of(const std::vector<Ip>& addresses) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(first, &freeifaddrs);
  std::vector<Interface> found;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if ((entry->ifa_flags & IFF_UP) == 0 || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const auto ip = ip_of(entry->ifa_addr);
    if (!ip || std::ranges::find(addresses, *ip) == addresses.end()) continue;
    const Interface interface { if_nametoindex(entry->ifa_name), entry->ifa_name };
    if (interface.index == 0 || std::ranges::find(found, interface.index, &Interface::index) != found.end())
      continue;
    found.push_back(interface);
  }
  return found;
}

// A driver may have XDP and still refuse, for the MTU or an offload that is on; the network stack never does.
Result<InterfaceHook, std::string> InterfaceHook::attach_xdp(const RouteProgram& program,
                                                             const Interface& interface) {
  Fd link(create_xdp_link(program.program_fd(), interface, XDP_FLAGS_DRV_MODE));
  if (link) return InterfaceHook(interface, HookMode::driver, std::move(link));
  link = Fd(create_xdp_link(program.program_fd(), interface, XDP_FLAGS_SKB_MODE));
  if (link) return InterfaceHook(interface, HookMode::generic, std::move(link));
  return fail(attach_error(interface, "XDP", errno));
}

Result<InterfaceHook, std::string> InterfaceHook::attach_tc(const RouteProgram& program,
                                                            const Interface& interface) {
  Fd link(bpf_link_create(program.program_fd(), static_cast<int>(interface.index), kTcxIngress, nullptr));
  if (link) return InterfaceHook(interface, HookMode::tc, std::move(link));
  if (errno == EINVAL) return fail(std::string("this kernel has no TC hook for links; Linux 6.6 is needed"));
  return fail(attach_error(interface, "TC", errno));
}

std::uint32_t InterfaceHook::send_flags() const {
  constexpr std::uint32_t kBoth = route_abi::route_send_back | route_abi::route_send_across;
  switch (mode_) {
    case HookMode::generic:
    case HookMode::tc:
      return kBoth;  // like any packet of the network stack
    case HookMode::driver:
      break;
  }
  const auto features = xdp_features(interface_.index);
  const std::uint32_t across = features && features->transmit ? route_abi::route_send_across : 0;
  // A veth that sends back wakes its far end only if that one has a program, too; redirected frames wake it.
  return driver_of(interface_) == "veth" ? across : across | route_abi::route_send_back;
}

std::string InterfaceHook::text() const {
  switch (mode_) {
    case HookMode::driver:
      return fmt::format("{} (XDP in the driver)", interface_.name);
    case HookMode::generic:
      return fmt::format("{} (XDP behind the driver)", interface_.name);
    case HookMode::tc:
      return fmt::format("{} (TC)", interface_.name);
  }
  return "";
}

}  // namespace offhook::io
