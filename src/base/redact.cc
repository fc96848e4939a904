#include "base/redact.h"

namespace offhook {

std::string redacted(const Ip& ip) {
  if (ip.is_loopback()) return ip.text();
  const Bytes octets = ip.octets();
  if (ip.is_v4()) {
    return std::to_string(octets[0]) + "." + std::to_string(octets[1]) + "." + std::to_string(octets[2]) +
           ".x";
  }
  std::array<std::uint8_t, 16> kept{};
  for (std::size_t i = 0; i < 6; ++i) kept[i] = octets[i];
  return Ip::v6(kept).text() + "/48";
}

}  // namespace offhook
