#include "io/fastpath/fast_path.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace offhook::io {
namespace {

using route_abi::route_account;
using route_abi::route_traffic;

constexpr std::uint64_t kBytesPerMib = 1024ULL * 1024;

// The kernel program writes them meanwhile.
std::uint64_t get(__u64& cell) { return std::atomic_ref<__u64>(cell).load(std::memory_order_relaxed); }
void set(__u64& cell, std::uint64_t value) {
  std::atomic_ref<__u64>(cell).store(value, std::memory_order_relaxed);
}

FastPath::Traffic read(route_traffic& traffic) {
  FastPath::Traffic read;
  read.packets = get(traffic.packets);
  read.payload_bytes = get(traffic.bytes);
  const std::uint64_t last_ns = get(traffic.last_packet_ns);
  if (last_ns != 0) read.last_packet = Instant(Duration(static_cast<std::int64_t>(last_ns)));
  return read;
}

void add(FastPath::Traffic& sum, const FastPath::Traffic& more) {
  sum.packets += more.packets;
  sum.payload_bytes += more.payload_bytes;
  if (more.last_packet && (!sum.last_packet || *sum.last_packet < *more.last_packet))
    sum.last_packet = more.last_packet;
}

void clear(route_traffic& traffic) {
  for (__u64* each : {&traffic.packets, &traffic.bytes, &traffic.last_packet_ns, &traffic.limit_due_at_ns,
                      &traffic.ns_per_kib, &traffic.burst_ns}) {
    set(*each, 0);
  }
}

void limit_one(route_traffic& traffic, std::uint64_t ns_per_kib, std::uint64_t burst_ns) {
  set(traffic.burst_ns, burst_ns);
  set(traffic.ns_per_kib, ns_per_kib);
}

Result<std::vector<InterfaceHook>, std::string> attach(RouteHook hook, const RouteProgram& program,
                                                       const std::vector<Interface>& interfaces) {
  std::vector<InterfaceHook> hooks;
  for (const Interface& interface : interfaces) {
    auto attached = hook == RouteHook::xdp ? InterfaceHook::attach_xdp(program, interface)
                                           : InterfaceHook::attach_tc(program, interface);
    if (!attached) return fail(attached.error());
    hooks.push_back(std::move(*attached));
  }
  return hooks;
}

}  // namespace

Result<std::unique_ptr<FastPath>, std::string> FastPath::start(const FastPathSettings& settings) {
  const auto interfaces = interfaces_of(settings.addresses);
  if (interfaces.empty()) {
    return fail(std::string(
        "no interface but the loopback carries an address of the relay; listen at one that does"));
  }
  std::vector<RouteHook> hooks;
  if (settings.mode != FastPathMode::tc) hooks.push_back(RouteHook::xdp);
  if (settings.mode != FastPathMode::xdp) hooks.push_back(RouteHook::tc);
  std::string missing;
  for (const RouteHook hook : hooks) {
    auto program = RouteProgram::load(hook, {settings.listen_port, settings.relay_port_first,
                                             settings.relay_port_last, settings.channels, settings.channels});
    if (!program) {
      missing = program.error();
      continue;
    }
    auto forwarding = LoopbackForwarding::switch_on(settings.addresses);
    if (!forwarding) return fail(forwarding.error());
    auto attached = attach(hook, **program, interfaces);
    if (!attached) {
      missing = attached.error();
      continue;
    }
    return std::unique_ptr<FastPath>(
        new FastPath(std::move(*forwarding), std::move(*program), std::move(*attached)));
  }
  return fail(missing);
}

FastPath::FastPath(LoopbackForwarding forwarding, std::unique_ptr<RouteProgram> program,
                   std::vector<InterfaceHook> hooks)
    : forwarding_(std::move(forwarding)), program_(std::move(program)), hooks_(std::move(hooks)) {
  for (const InterfaceHook& hook : hooks_) {
    const std::uint32_t index = hook.interface().index;
    const route_abi::route_interface value{hook.send_flags()};
    // What is missing here passes to the sockets.
    (void)bpf_map_update_elem(program_->interfaces_fd(), &index, &value, BPF_ANY);
  }
}

std::string FastPath::text() const {
  std::vector<std::string> where;
  for (const InterfaceHook& hook : hooks_) where.push_back(hook.text());
  return fmt::format("on {}; up to {} channels, {} MiB", fmt::join(where, ", "), program_->accounts().size(),
                     (program_->map_bytes() + kBytesPerMib - 1) / kBytesPerMib);
}

std::optional<std::uint32_t> FastPath::open_account() {
  const std::lock_guard lock(accounts_lock_);
  std::uint32_t account = 0;
  if (!free_accounts_.empty()) {
    account = free_accounts_.back();
    free_accounts_.pop_back();
  } else if (next_account_ < program_->accounts().size()) {
    account = next_account_++;
  } else {
    return std::nullopt;
  }
  return account;
}

void FastPath::close_account(std::uint32_t account) {
  const std::lock_guard lock(accounts_lock_);
  route_account& closed = program_->accounts()[account];
  add(closed_.from_client, read(closed.from_client));
  add(closed_.to_client, read(closed.to_client));
  clear(closed.from_client);
  clear(closed.to_client);
  free_accounts_.push_back(account);
}

bool FastPath::put(const RouteEntry& entry) {
  return bpf_map_update_elem(program_->routes_fd(), &entry.key, &entry.value, BPF_ANY) == 0;
}

void FastPath::erase(const RouteEntry& entry) {
  // What is not there need not go.
  (void)bpf_map_delete_elem(program_->routes_fd(), &entry.key);
}

bool FastPath::install(const RelayedChannel& channel) {
  if (put(route_to_peer(channel)) && put(route_to_client(channel))) return true;
  remove(channel);
  return false;
}

void FastPath::remove(const RelayedChannel& channel) {
  erase(route_to_peer(channel));
  erase(route_to_client(channel));
}

FastPath::AccountTraffic FastPath::traffic(std::uint32_t account) const {
  route_account& of = program_->accounts()[account];
  return {read(of.from_client), read(of.to_client)};
}

void FastPath::limit(std::uint32_t account, std::uint64_t bytes_per_s, std::uint64_t burst_bytes) {
  constexpr std::uint64_t kNsPerS = 1'000'000'000;
  route_account& of = program_->accounts()[account];
  const std::uint64_t ns_per_kib =
      bytes_per_s == 0 ? 0 : std::max<std::uint64_t>(1, kNsPerS * 1024 / bytes_per_s);
  const std::uint64_t burst_ns = ns_per_kib * burst_bytes / 1024;
  limit_one(of.from_client, ns_per_kib, burst_ns);
  limit_one(of.to_client, ns_per_kib, burst_ns);
}

FastPath::AccountTraffic FastPath::total() const {
  const std::lock_guard lock(accounts_lock_);
  AccountTraffic sum = closed_;
  for (route_account& account : program_->accounts().first(next_account_)) {
    add(sum.from_client, read(account.from_client));
    add(sum.to_client, read(account.to_client));
  }
  return sum;
}

}  // namespace offhook::io
