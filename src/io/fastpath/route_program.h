#pragma once
// The kernel program, loaded but attached nowhere, and its maps. All that it returns is text for one line,
// saying what is missing and how to get it.

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "wire/route_abi.h"

namespace offhook::io {

enum class RouteHook : std::uint8_t { xdp, tc };

struct RouteProgramSettings {
  std::uint16_t listen_port = 0;
  std::uint16_t relay_port_first = 0;
  std::uint16_t relay_port_last = 0;
  std::uint32_t channels = 0;  // two routes each
  std::uint32_t accounts = 0;
};

class RouteProgram {
 public:
  static Result<std::unique_ptr<RouteProgram>, std::string> load(RouteHook hook,
                                                                 const RouteProgramSettings& settings);
  ~RouteProgram();
  RouteProgram(const RouteProgram&) = delete;
  RouteProgram& operator=(const RouteProgram&) = delete;

  // They live as long as this.
  int program_fd() const;
  int routes_fd() const { return fd_of("routes"); }
  int interfaces_fd() const { return fd_of("interfaces"); }
  // Shared with the kernel.
  std::span<route_abi::route_account> accounts() const { return accounts_; }
  // How many packets left the program for this reason.
  std::uint64_t count(route_abi::route_reason reason) const;
  // What all maps take, filled or not.
  std::uint64_t map_bytes() const;

 private:
  explicit RouteProgram(RouteHook hook) : hook_(hook) {}
  int fd_of(const char* map) const;
  bool set_up(const RouteProgramSettings& settings);
  bool map_accounts(std::uint32_t count);

  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  RouteHook hook_;
  std::unique_ptr<bpf_object, Close> object_;
  std::span<route_abi::route_account> accounts_;
};

// "not_ip"
const char* name(route_abi::route_reason reason);

}  // namespace offhook::io
