#pragma once
// A loaded program with the routes of a row, in the network of own_network.h.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "io/fastpath/route_entries.h"
#include "io/fastpath/route_program.h"
#include "io/loop/clock.h"
#include "own_network.h"
#include "program_run.h"

namespace offhook::test {

inline constexpr std::uint16_t kListenPort = 3478;
inline constexpr std::uint16_t kChannel = 0x4001;
inline constexpr std::uint16_t kOtherChannel = 0x4002;

// Of the first client: its own address and that of the peer have these families.
inline io::RelayedChannel channel_of(Family client, Family peer) {
  const bool four = client == Family::ipv4;
  io::RelayedChannel channel;
  channel.client_address = {four ? kClient4 : kClient6, 40000};
  channel.listen_address = {four ? kListen4 : kListen6, kListenPort};
  channel.relayed_address = {peer == Family::ipv4 ? kRelay4 : kRelay6, 50000};
  channel.peer_address = {peer == Family::ipv4 ? kPeer4 : kPeer6, 5000};
  channel.channel_number = kChannel;
  channel.expires_at = io::read_now().monotonic + std::chrono::hours(1);
  return channel;
}

// Two clients with a channel to each other's relayed address.
struct Pair {
  io::RelayedChannel first;
  io::RelayedChannel second;
};
inline Pair pair_of(Family first_client, Family second_client, Family relays) {
  Pair pair{channel_of(first_client, relays), channel_of(second_client, relays)};
  pair.second.client_address.port = 40001;
  pair.second.relayed_address.port = 50002;
  pair.second.channel_number = kOtherChannel;
  pair.second.account = 1;
  pair.first.peer_address = pair.second.relayed_address;
  pair.second.peer_address = pair.first.relayed_address;
  pair.first.to_own_relay = true;
  pair.second.to_own_relay = true;
  return pair;
}

inline Frame from_client(const io::RelayedChannel& channel, const Buffer& payload) {
  return {kClientSideMac, kClientMac, channel.client_address, channel.listen_address,
          channel_data(channel.channel_number, payload)};
}
inline Frame to_peer(const io::RelayedChannel& channel, const Buffer& payload) {
  return {kPeerMac, kPeerSideMac, channel.relayed_address, channel.peer_address, payload, 63};
}
inline Frame from_peer(const io::RelayedChannel& channel, const Buffer& payload) {
  return {kPeerSideMac, kPeerMac, channel.peer_address, channel.relayed_address, payload};
}
inline Frame to_client(const io::RelayedChannel& channel, const Buffer& payload) {
  return {kClientMac,
          kClientSideMac,
          channel.listen_address,
          channel.client_address,
          channel_data(channel.channel_number, payload),
          63};
}

// Enters a network of its own. Why the program cannot run on this machine; nothing if it can.
inline std::optional<std::string> unable_to_run(io::RouteHook hook) {
  if (!enter_own_network()) return "no network namespace of its own (root and iproute2 are needed)";
  const auto loaded = io::RouteProgram::load(hook, {kListenPort, 49152, 65535, 16, 4});
  if (!loaded) return loaded.error();
  return std::nullopt;
}

// Whether the loopback interface forwards, which looking up routes needs.
inline void set_loopback_forwarding(bool on) {
  for (const char* family : {"ipv4", "ipv6"})
    std::ofstream(std::string("/proc/sys/net/") + family + "/conf/lo/forwarding") << (on ? '1' : '0');
}

class Stage {
 public:
  explicit Stage(io::RouteHook hook) : hook_(hook) {
    auto loaded = io::RouteProgram::load(hook, {kListenPort, 49152, 65535, 16, 4});
    if (!loaded) {
      ADD_FAILURE() << loaded.error();
      return;
    }
    program_ = std::move(*loaded);
    reset();
  }
  // No routes, nothing counted, every way open.
  void reset() {
    route_abi::route_key key{};
    while (bpf_map_get_next_key(program_->routes_fd(), nullptr, &key) == 0)
      EXPECT_EQ(bpf_map_delete_elem(program_->routes_fd(), &key), 0);
    std::ranges::fill(program_->accounts(), route_abi::route_account{});
    before_.clear();
    before_ = counts();
    set_loopback_forwarding(true);
    allow_sending(kClientSide, route_abi::route_send_back | route_abi::route_send_across);
    allow_sending(kPeerSide, route_abi::route_send_back | route_abi::route_send_across);
  }
  bool ready() const { return program_ != nullptr; }
  const io::RouteProgram& program() const { return *program_; }
  io::RouteHook hook() const { return hook_; }

  void allow_sending(const char* interface, std::uint32_t flags) {
    const std::uint32_t index = if_nametoindex(interface);
    const route_abi::route_interface value{flags};
    EXPECT_EQ(bpf_map_update_elem(program_->interfaces_fd(), &index, &value, BPF_ANY), 0);
  }
  void install(const io::RelayedChannel& channel) {
    for (const auto& entry : {io::route_to_peer(channel), io::route_to_client(channel)})
      EXPECT_EQ(bpf_map_update_elem(program_->routes_fd(), &entry.key, &entry.value, BPF_ANY), 0);
  }
  void forget_way_back(const io::RelayedChannel& channel) {
    const auto entry = io::route_to_client(channel);
    EXPECT_EQ(bpf_map_delete_elem(program_->routes_fd(), &entry.key), 0);
  }
  std::optional<RunResult> run(const Buffer& in, const RunContext& context = {}) {
    return run_program(*program_, hook_, in, context);
  }
  // Each reason that counted anything since the last reset.
  std::map<std::string, std::uint64_t> counts() const {
    std::map<std::string, std::uint64_t> counted;
    for (int i = 0; i < route_abi::route_reason_count; ++i) {
      const auto reason = static_cast<route_abi::route_reason>(i);
      const auto before = before_.find(io::name(reason));
      const std::uint64_t count = program_->count(reason) - (before == before_.end() ? 0 : before->second);
      if (count != 0) counted[io::name(reason)] = count;
    }
    return counted;
  }

 private:
  io::RouteHook hook_;
  std::unique_ptr<io::RouteProgram> program_;
  std::map<std::string, std::uint64_t> before_;
};

}  // namespace offhook::test
