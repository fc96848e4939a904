#pragma once
// The fast path: the kernel program on the interfaces of the relay, its routes and accounts. Starting and
// ending belong to one thread; everything else may be called from any.

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "io/fastpath/interface_hooks.h"
#include "io/fastpath/loopback_forwarding.h"
#include "io/fastpath/route_entries.h"
#include "io/fastpath/route_program.h"

namespace offhook::io {

// automatic: XDP in the driver or behind it, else TC.
enum class FastPathMode : std::uint8_t { automatic, xdp, tc };

struct FastPathSettings {
  FastPathMode mode = FastPathMode::automatic;
  std::vector<Ip> addresses;  // that clients and peers send to
  std::uint16_t listen_port = 0;
  std::uint16_t relay_port_first = 0;
  std::uint16_t relay_port_last = 0;
  std::uint32_t channels = 0;  // at once; those beyond go through the sockets
};

class FastPath {
 public:
  // The error is one line: what is missing, and how to get it.
  static Result<std::unique_ptr<FastPath>, std::string> start(const FastPathSettings& settings);

  // Where it runs and what its maps take, in one line.
  std::string text() const;
  // Descriptors that a thread with a table of its own needs.
  std::vector<int> fds() const { return {program_->routes_fd()}; }

  // One an allocation; nothing if there is none left. Its counts begin at 0.
  std::optional<std::uint32_t> open_account();
  void close_account(std::uint32_t account);
  // From the next packet on. False if a route did not fit: then neither is there, and packets take the
  // sockets.
  [[nodiscard]] bool install(const RelayedChannel& channel);
  void remove(const RelayedChannel& channel);

  struct Traffic {
    std::uint64_t packets = 0;
    std::uint64_t payload_bytes = 0;
    std::optional<Instant> last_packet;
  };
  struct AccountTraffic {
    Traffic from_client;
    Traffic to_client;
  };
  AccountTraffic traffic(std::uint32_t account) const;
  // Payload each way of this account; 0: no limit. `burst_bytes` may pass at once.
  void limit(std::uint32_t account, std::uint64_t bytes_per_s, std::uint64_t burst_bytes);
  // Of all accounts, closed ones too.
  AccountTraffic total() const;
  std::uint64_t count(route_abi::route_reason reason) const { return program_->count(reason); }

 private:
  FastPath(LoopbackForwarding forwarding, std::unique_ptr<RouteProgram> program,
           std::vector<InterfaceHook> hooks);
  bool put(const RouteEntry& entry);
  void erase(const RouteEntry& entry);

  LoopbackForwarding forwarding_;
  std::unique_ptr<RouteProgram> program_;
  std::vector<InterfaceHook> hooks_;  // detached before the program goes
  mutable std::mutex accounts_lock_;
  std::vector<std::uint32_t> free_accounts_;
  std::uint32_t next_account_ = 0;
  AccountTraffic closed_;  // sum of the accounts that were closed
};

}  // namespace offhook::io
