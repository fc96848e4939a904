#pragma once
// Where the kernel program is attached. The links are this process's: they end with it, however it ends.

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "io/fastpath/route_program.h"
#include "io/loop/fd.h"

namespace offhook::io {

struct Interface {
  std::uint32_t index = 0;
  std::string name;
};
// Those that are up and carry one of these addresses, the loopback interface apart.
std::vector<Interface> interfaces_of(const std::vector<Ip>& addresses);

// How the program runs: in the driver, behind it in the network stack, or at the TC hook.
enum class HookMode : std::uint8_t { driver, generic, tc };

class InterfaceHook {
 public:
  // In the driver if it has a place for it.
  static Result<InterfaceHook, std::string> attach_xdp(const RouteProgram& program,
                                                       const Interface& interface);
  static Result<InterfaceHook, std::string> attach_tc(const RouteProgram& program,
                                                      const Interface& interface);

  const Interface& interface() const { return interface_; }
  HookMode mode() const { return mode_; }
  // What the program may do there: route_abi::route_send_back, route_send_across.
  std::uint32_t send_flags() const;
  // "eth0 (driver)"
  std::string text() const;

 private:
  InterfaceHook(Interface interface, HookMode mode, Fd link)
      : interface_(std::move(interface)), mode_(mode), link_(std::move(link)) {}
  Interface interface_;
  HookMode mode_;
  Fd link_;
};

}  // namespace offhook::io
