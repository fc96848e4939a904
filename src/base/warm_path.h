#pragma once
// What two devices may tell each other while a call rings (docs/protocol.md, "Warm path"). Strictest last, so
// that of two wishes the greater one counts.

#include <cstdint>
#include <optional>
#include <string_view>

namespace offhook {

enum class WarmPath : std::uint8_t {
  direct,  // everything
  relay,   // a ringing device answers at once; addresses of relays alone pass before accept
  off,     // a ringing device answers after accept; addresses of relays alone pass before accept
};
inline constexpr WarmPath kWarmPaths[] = {WarmPath::direct, WarmPath::relay, WarmPath::off};

constexpr std::string_view name(WarmPath warm_path) {
  switch (warm_path) {
    case WarmPath::direct:
      return "direct";
    case WarmPath::relay:
      return "relay";
    case WarmPath::off:
      return "off";
  }
  return {};
}

constexpr std::optional<WarmPath> parse_warm_path(std::string_view text) {
  for (const WarmPath warm_path : kWarmPaths) {
    if (name(warm_path) == text) return warm_path;
  }
  return std::nullopt;
}

}  // namespace offhook
