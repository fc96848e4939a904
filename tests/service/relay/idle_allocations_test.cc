// Many idle allocations through the real service, over UDP on loopback, made and deleted in rounds: nothing
// is left behind, and an allocation costs little. OFFHOOK_IDLE_ALLOCATIONS=100000 makes the full number.

#include <dirent.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>

#include "relay_fixture.h"

namespace offhook::relay {
namespace {

using std::chrono::seconds;
using test::TurnClient;

// The core remembers the latest deletions (RFC 8489 section 6.2.1: late retransmissions) up to a limit; by
// default two rounds reach it, so that the last round may add nothing.
constexpr std::size_t kDefaultAllocations = 5000;
constexpr int kRounds = 3;
// Ours, kernel sockets aside (docs/benchmarks.md).
constexpr std::size_t kAllocationBytesLimit = 4096;

std::size_t wanted_allocations() {
  const char* text = std::getenv("OFFHOOK_IDLE_ALLOCATIONS");
  return text != nullptr ? static_cast<std::size_t>(std::atoll(text)) : kDefaultAllocations;
}

std::size_t heap_in_use() {
  const auto heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) count += 1;
  closedir(directory);
  return count;
}

// Every allocation needs a five-tuple of its own; the socket itself may be closed meanwhile.
Address client_address(std::size_t number) {
  constexpr std::size_t kPortsAnAddress = 20000;
  const auto host = static_cast<std::uint8_t>(1 + number / kPortsAnAddress);
  return {Ip::v4({127, 0, 9, host}), static_cast<std::uint16_t>(10000 + number % kPortsAnAddress)};
}

RelaySettings seven_relay_addresses() {
  RelaySettings settings = loopback_settings();
  settings.listen_addresses = {kLoopback4};
  for (std::uint8_t host = 1; host <= 7; ++host)
    settings.relay_addresses.push_back(Ip::v4({127, 0, 0, host}));
  return settings;
}

// A shard answers before it closes the socket, and counts after that.
void await_none(const RunningRelay& relay) {
  TurnClient client(relay.at(), turn::Transport::udp, minted("bob"));
  for (int i = 0; i < 10'000 && relay.count(Counter::allocations_live) != 0; ++i) (void)client.binding();
  EXPECT_EQ(relay.count(Counter::allocations_live), 0U);
}

TEST(IdleAllocations, CostLittleAndLeaveNothing) {
  const std::size_t wanted = wanted_allocations();
  RunningRelay relay(seven_relay_addresses());
  const auto login = minted("bob");
  const std::size_t descriptors_before = open_descriptors();
  const std::size_t heap_before = heap_in_use();
  std::size_t heap_after_round = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < wanted; ++i) {
      TurnClient client(relay.at(), turn::Transport::udp, login, client_address(i));
      ASSERT_EQ(client.allocate().error, 0) << i;
    }
    const std::size_t heap_full = heap_in_use();
    EXPECT_EQ(open_descriptors(), descriptors_before + wanted);
    for (std::size_t i = 0; i < wanted; ++i) {
      TurnClient client(relay.at(), turn::Transport::udp, login, client_address(i));
      ASSERT_EQ(client.refresh(seconds(0)), 0) << i;
    }
    await_none(relay);
    const std::size_t bytes_each = (heap_full - std::min(heap_full, heap_before)) / wanted;
    const std::size_t heap_now = heap_in_use();
    std::printf("round %d: %zu allocations, %zu bytes each; %zu bytes of heap afterwards\n", round, wanted,
                bytes_each, heap_now - std::min(heap_now, heap_before));
    EXPECT_LE(bytes_each, kAllocationBytesLimit);
    if (round == kRounds - 1) {
      EXPECT_LE(heap_now, heap_after_round + heap_after_round / 10);
    }
    heap_after_round = heap_now;
  }
  EXPECT_EQ(open_descriptors(), descriptors_before);
}

}  // namespace
}  // namespace offhook::relay
