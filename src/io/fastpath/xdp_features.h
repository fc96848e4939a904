#pragma once

#include <cstdint>
#include <optional>

namespace offhook::io {

// What a device's driver can do with XDP, as the kernel tells it (netlink family "netdev", Linux 6.3).
struct XdpFeatures {
  bool native = false;    // programs run in the driver
  bool transmit = false;  // frames of other devices may be redirected to it
};
// Nothing if the kernel does not tell.
std::optional<XdpFeatures> xdp_features(std::uint32_t interface_index);

}  // namespace offhook::io
