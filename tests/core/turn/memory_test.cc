// What an allocation weighs, and that the data path takes no memory: counted at operator new.

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>

#include "core/turn/fixture.h"

namespace {
std::size_t live_bytes = 0;
std::size_t allocations_made = 0;
constexpr std::size_t kHeapHeaderBytes = 8;  // what the heap itself keeps for each block

void* counted(std::size_t size) {
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  live_bytes += malloc_usable_size(block) + kHeapHeaderBytes;
  allocations_made += 1;
  return block;
}
void uncounted(void* block) {
  if (block == nullptr) return;
  live_bytes -= malloc_usable_size(block) + kHeapHeaderBytes;
  std::free(block);
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* block) noexcept { uncounted(block); }
void operator delete[](void* block) noexcept { uncounted(block); }
void operator delete(void* block, std::size_t) noexcept { uncounted(block); }
void operator delete[](void* block, std::size_t) noexcept { uncounted(block); }

namespace offhook::turn::test {
namespace {

constexpr std::size_t kAllocations = 1000;
constexpr std::size_t kBytesLimit = 2048;

// Opens the one relay socket that the effects ask for, and keeps nothing.
RelayId open_only(World& world, Outbox& effects) {
  const RelayId relay = std::get<OpenRelaySocket>(effects.at(0)).relay;
  world.server.handle_relay_opened(relay, {world.relay_ipv4, world.next_port++}, world.now, effects);
  return relay;
}

TEST(Memory, of_an_idle_allocation_with_a_permission_and_a_channel) {
  World world;
  world.credentials.users["1700003600:a-user-name-of-some-length"] = {{"secret"},
                                                                      "a-user-name-of-some-length"};
  const std::size_t before = live_bytes;
  for (std::size_t i = 0; i < kAllocations; ++i) {
    TestClient client = world.client("198.41.0.4:" + std::to_string(20'000 + i));
    client.username = "1700003600:a-user-name-of-some-length";
    const Buffer request = world.build(client, Method::allocate, udp());
    Outcome outcome = world.deliver(client.client, request);
    open_only(world, outcome.effects);
    ASSERT_EQ(world.bind(client, 0x4000, "8.8.8.8:5000"), 0);
  }
  ASSERT_EQ(world.server.allocation_count(), kAllocations);
  const std::size_t each = (live_bytes - before) / kAllocations;
  RecordProperty("bytes_an_allocation", static_cast<int>(each));
  EXPECT_LE(each, kBytesLimit);
  world.wait(601s);
  EXPECT_EQ(world.server.allocation_count(), 0U);
}

TEST(Memory, of_strangers_is_none) {
  World world;
  TestClient client = world.client();
  const Buffer good = world.build(client, Method::allocate, udp());
  client.protect = Protect::nothing;
  const Buffer bare = world.build(client, Method::allocate, udp());
  Outbox effects;
  effects.reserve(8);
  Buffer storage(2048);
  const std::size_t before = live_bytes;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    Client spoofed = client.client;
    spoofed.five_tuple.client_address = {Ip::v4(0x08000000U + i), 5000};
    for (const Buffer& request : {std::cref(good), std::cref(bare)}) {
      std::copy(request.begin(), request.end(), storage.begin() + kHeadroomBytes);
      (void)world.server.handle_client_packet(spoofed, {storage, kHeadroomBytes, request.size()}, world.now,
                                              effects);
      ASSERT_EQ(effects.size(), 1U);
      effects.clear();
    }
  }
  EXPECT_EQ(live_bytes, before);
}

TEST(Memory, is_not_taken_by_the_data_path) {
  World world;
  TestClient client = world.client();
  const Buffer request = world.build(client, Method::allocate, udp());
  Outcome outcome = world.deliver(client.client, request);
  const RelayId relay = open_only(world, outcome.effects);
  ASSERT_EQ(world.bind(client, 0x4000, "8.8.8.8:5000"), 0);
  ASSERT_EQ(world.permit(client, "9.9.9.9:5000"), 0);

  Buffer storage(kHeadroomBytes + 200 + kTailroomBytes);
  const Buffer channel_data = {0x40, 0x00, 0x00, 0x04, 'd', 'a', 't', 'a'};
  std::array<std::uint8_t, 128> space{};
  MessageBuilder builder(space, MessageClass::indication, Method::send, world.next_id());
  all({peer("9.9.9.9:5000"), raw(0x0013, "payload")})(builder);
  const Bytes send = builder.finish();
  const Address bound_peer = address("8.8.8.8:5000");
  const Address other_peer = address("9.9.9.9:5000");
  Outbox effects;
  std::size_t forwarded = 0;
  const auto count = [&](const Forward& forward) {
    forwarded += forward.via != Forward::Via::nobody ? 1 : 0;
  };
  const auto from_client = [&](Bytes datagram) {
    std::copy(datagram.begin(), datagram.end(), storage.begin() + kHeadroomBytes);
    count(world.server.handle_client_packet(client.client, {storage, kHeadroomBytes, datagram.size()},
                                            world.now, effects));
  };
  const std::size_t before = allocations_made;
  for (int i = 0; i < 10'000; ++i) {
    from_client(channel_data);
    from_client(send);
    count(world.server.handle_peer_packet(relay, bound_peer, {storage, kHeadroomBytes, 172}, world.now));
    count(world.server.handle_peer_packet(relay, other_peer, {storage, kHeadroomBytes, 172}, world.now));
  }
  EXPECT_EQ(allocations_made, before);
  EXPECT_EQ(forwarded, 40'000U);
}

}  // namespace
}  // namespace offhook::turn::test
