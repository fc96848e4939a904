// Many idle allocations through the real service, over UDP on loopback, made and deleted in rounds: nothing
// is left behind, and an allocation costs little. OFFHOOK_IDLE_ALLOCATIONS overrides the number.

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "relay_fixture.h"

namespace offhook::relay {
namespace {

using std::chrono::seconds;
using test::TurnClient;

#if defined(OFFHOOK_SANITIZE)
constexpr std::size_t kDefaultAllocations = 5000;
#else
constexpr std::size_t kDefaultAllocations = 100'000;
#endif
// A shard has a table of descriptors of its own: so many, and what the kernel's uneven hand adds to them,
// stay below the 20,000 open files that a process often has. They are also more than the deletions that the
// core remembers (RFC 8489 section 6.2.1: late retransmissions), so that the first round reaches that limit,
// and the second may add nothing.
constexpr std::size_t kAllocationsAShard = 12'500;
constexpr int kRounds = 2;
constexpr std::size_t kClientThreads = 4;
// Ours, kernel sockets aside (docs/benchmarks.md).
constexpr std::size_t kAllocationBytesLimit = 4096;

std::size_t wanted_allocations() {
  const char* text = std::getenv("OFFHOOK_IDLE_ALLOCATIONS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : kDefaultAllocations;
}

std::size_t heap_in_use() {
  const auto heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::size_t kib = 0;
  while (status >> word) {
    if (word == "VmRSS:") status >> kib;
  }
  return kib;
}

// Every allocation needs a five-tuple of its own; the socket itself may be closed meanwhile.
Address client_address(std::size_t number) {
  constexpr std::size_t kPortsAnAddress = 20000;
  const auto host = static_cast<std::uint8_t>(1 + number / kPortsAnAddress);
  return {Ip::v4({127, 0, 9, host}), static_cast<std::uint16_t>(10000 + number % kPortsAnAddress)};
}

RelaySettings seven_relay_addresses(std::size_t allocations) {
  RelaySettings settings = loopback_settings();
  settings.listen_addresses = {kLoopback4};
  settings.shards = static_cast<unsigned>((allocations + kAllocationsAShard - 1) / kAllocationsAShard);
  for (std::uint8_t host = 1; host <= 7; ++host)
    settings.relay_addresses.push_back(Ip::v4({127, 0, 0, host}));
  return settings;
}

// A shard answers before it counts, and before it closes the socket.
void await_live(const RunningRelay& relay, std::size_t wanted) {
  TurnClient client(relay.at(), turn::Transport::udp, minted("bob"));
  for (int i = 0; i < 10'000 && relay.count(Counter::allocations_live) != wanted; ++i) (void)client.binding();
  EXPECT_EQ(relay.count(Counter::allocations_live), wanted);
}

// Calls `act` with a client for each of `count` five-tuples, from a few threads: one alone would spend its
// time waiting for wake-ups. A client's socket lives only as long as its turn.
template <typename Act>
void for_each_client(const RunningRelay& relay, const TurnClient::Login& login, std::size_t count, Act act) {
  std::vector<std::thread> threads;
  for (std::size_t first = 0; first < kClientThreads; ++first) {
    threads.emplace_back([&, first] {
      for (std::size_t i = first; i < count && !testing::Test::HasFailure(); i += kClientThreads) {
        TurnClient client(relay.at(), turn::Transport::udp, login, client_address(i));
        act(client, i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(IdleAllocations, CostLittleAndLeaveNothing) {
  const std::size_t wanted = wanted_allocations();
  RunningRelay relay(seven_relay_addresses(wanted));
  const auto login = minted("bob");  // one, for an allocation belongs to one username, expiry included
  const std::size_t sockets_before = open_sockets();
  const std::size_t heap_before = heap_in_use();
  const std::size_t resident_before = resident_kib();
  std::size_t heap_after_round = 0;
  for (int round = 0; round < kRounds; ++round) {
    for_each_client(relay, login, wanted,
                    [](TurnClient& client, std::size_t i) { EXPECT_EQ(client.allocate().error, 0) << i; });
    await_live(relay, wanted);
    const std::size_t heap_full = heap_in_use();
    const std::size_t resident_full = resident_kib();
    EXPECT_EQ(open_sockets(), sockets_before + wanted);
    for_each_client(relay, login, wanted,
                    [](TurnClient& client, std::size_t i) { EXPECT_EQ(client.refresh(seconds(0)), 0) << i; });
    await_live(relay, 0);
    const std::size_t bytes_each = (heap_full - std::min(heap_full, heap_before)) / wanted;
    const std::size_t heap_now = heap_in_use();
    std::printf(
        "round %d: %zu allocations, %zu bytes of heap each; resident %zu KiB, %zu then, %zu afterwards\n",
        round, wanted, bytes_each, resident_before, resident_full, resident_kib());
    EXPECT_LE(bytes_each, kAllocationBytesLimit);
    if (round == kRounds - 1) {
      EXPECT_LE(heap_now, heap_after_round + heap_after_round / 10);
    }
    heap_after_round = heap_now;
  }
  EXPECT_EQ(open_sockets(), sockets_before);
}

}  // namespace
}  // namespace offhook::relay
