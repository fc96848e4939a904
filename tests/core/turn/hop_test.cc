#include <gtest/gtest.h>

#include "core/turn/allocation.h"
#include "core/turn/fixture.h"
#include "wire/turn/attr_lifetime.h"

namespace offhook::turn::test {
namespace {

using Lines = std::vector<std::string>;
using Via = Forward::Via;

constexpr std::uint16_t kOfAlice = 0x4001;
constexpr std::uint16_t kOfBob = 0x4002;

// Two clients, each with an allocation.
struct Pair {
  explicit Pair(Transport of_alice = Transport::udp, Transport of_bob = Transport::udp,
                const Settings& settings = {})
      : world(settings),
        alice(world.client("198.41.0.4:40001", of_alice)),
        bob(world.client("198.41.0.5:40002", of_bob)) {
    bob.username = "bob";
    bob.password = "hunter2";
    bob.client.handle = 9;
    relayed_alice = world.allocate(alice).address_in(AttributeType::xor_relayed_address);
    relayed_bob = world.allocate(bob).address_in(AttributeType::xor_relayed_address);
  }
  void bind_alice() { ASSERT_EQ(world.bind(alice, kOfAlice, relayed_bob.text()), 0); }
  void bind_bob() { ASSERT_EQ(world.bind(bob, kOfBob, relayed_alice.text()), 0); }
  void bind_both() {
    bind_alice();
    bind_bob();
  }
  Outcome from_alice(std::string_view payload = "x") { return world.channel_data(alice, kOfAlice, payload); }
  Via via(std::string_view payload = "x") { return from_alice(payload).forward.via; }

  World world;
  TestClient alice;
  TestClient bob;
  Address relayed_alice;
  Address relayed_bob;
};

std::string text_of(const Outcome& outcome) { return to_string(outcome.forward.bytes); }
std::string channel_data(std::uint16_t number, std::string_view payload) {
  std::string text{static_cast<char>(number >> 8U), static_cast<char>(number & 0xFFU), 0,
                   static_cast<char>(payload.size())};
  return text + std::string(payload);
}

TEST(Hop, takes_channel_data_to_the_other_client) {
  Pair pair;
  pair.bind_both();
  const Outcome there = pair.from_alice("to bob");
  EXPECT_EQ(there.forward.via, Via::hop);
  EXPECT_EQ(there.forward.client.five_tuple, pair.bob.client.five_tuple);
  EXPECT_EQ(there.forward.client.handle, 9U);
  EXPECT_EQ(text_of(there), channel_data(kOfBob, "to bob"));
  EXPECT_TRUE(there.effects.empty());
  const Outcome back = pair.world.channel_data(pair.bob, kOfBob, "to alice");
  EXPECT_EQ(back.forward.via, Via::hop);
  EXPECT_EQ(back.forward.client.five_tuple, pair.alice.client.five_tuple);
  EXPECT_EQ(text_of(back), channel_data(kOfAlice, "to alice"));
  EXPECT_EQ(text_of(pair.from_alice("")), channel_data(kOfBob, ""));
}

TEST(Hop, is_said_by_the_far_end_of_the_channel) {
  Pair pair;
  const Outcome bound =
      pair.world.ask(pair.bob, Method::channel_bind,
                     all({raw(0x000C, std::string{0x40, 0x02, 0, 0}), peer(pair.relayed_alice.text())}));
  EXPECT_EQ(described(bound.effects, pair.world.now.monotonic),
            (Lines{"SendToClient ChannelBind success", "InstallRoute 16386 5.9.0.1:50000 for 300 s",
                   "InstallHop 5.9.0.1:50000 to 5.9.0.1:50001 channel 16386 for 300 s"}));
  const Hop& hop = std::get<InstallHop>(bound.effects.back()).hop;
  EXPECT_EQ(hop.client.five_tuple, pair.bob.client.five_tuple);
  EXPECT_EQ(hop.incarnation, pair.world.relays.incarnation(pair.relayed_bob));
}

TEST(Hop, needs_channels_at_both_ends) {
  Pair pair;
  pair.bind_alice();
  EXPECT_EQ(pair.via(), Via::peer) << "no channel at bob";
  ASSERT_EQ(pair.world.permit(pair.bob, pair.relayed_alice.text()), 0);
  EXPECT_EQ(pair.via(), Via::peer) << "a permission is not enough";
  pair.bind_bob();
  EXPECT_EQ(pair.via(), Via::hop);
}

TEST(Hop, waits_for_the_channel_that_is_bound_second) {
  Pair pair;
  pair.bind_bob();
  EXPECT_EQ(pair.via(), Via::nobody);
  pair.bind_alice();
  EXPECT_EQ(pair.via(), Via::hop);
}

TEST(Hop, is_for_channel_data_alone) {
  Pair pair;
  pair.bind_both();
  EXPECT_EQ(pair.world.send(pair.alice, pair.relayed_bob.text(), "x").forward.via, Via::peer);
}

TEST(Hop, is_not_made_for_peers_that_are_no_relays) {
  Pair pair;
  const Outcome bound =
      pair.world.ask(pair.bob, Method::channel_bind,
                     all({raw(0x000C, std::string{0x40, 0x02, 0, 0}), peer("8.8.8.8:5000")}));
  EXPECT_EQ(bound.effects.size(), 2U);
}

TEST(Hop, ends_with_the_far_permission) {
  Pair pair;
  pair.bind_both();
  pair.world.wait(299'999ms);
  ASSERT_EQ(pair.world.permit(pair.alice, pair.relayed_bob.text()), 0);
  EXPECT_EQ(pair.via(), Via::hop);
  pair.world.now.monotonic += 1ms;  // and handle_deadlines has not run
  EXPECT_EQ(pair.via(), Via::peer);
  pair.world.wait(0s);
  EXPECT_EQ(pair.via(), Via::peer);
  ASSERT_EQ(pair.world.permit(pair.bob, pair.relayed_alice.text()), 0);
  EXPECT_EQ(pair.via(), Via::hop) << "the permission that is back makes it anew";
}

TEST(Hop, ends_with_the_near_permission) {
  Pair pair;
  pair.bind_both();
  pair.world.wait(299'999ms);
  ASSERT_EQ(pair.world.permit(pair.bob, pair.relayed_alice.text()), 0);
  pair.world.now.monotonic += 1ms;
  EXPECT_EQ(pair.via(), Via::nobody);
}

TEST(Hop, ends_with_the_far_channel) {
  Pair pair;
  pair.bind_both();
  for (int i = 0; i < 3; ++i) {
    pair.world.wait(199'999ms);
    ASSERT_EQ(pair.world.permit(pair.bob, pair.relayed_alice.text()), 0);
    ASSERT_EQ(pair.world.permit(pair.alice, pair.relayed_bob.text()), 0);
    ASSERT_EQ(pair.world.refresh(pair.alice, 3000s), 0);
    ASSERT_EQ(pair.world.refresh(pair.bob, 3000s), 0);
  }
  pair.bind_alice();
  EXPECT_EQ(pair.via(), Via::hop);
  EXPECT_EQ(described(pair.world.wait(3ms), pair.world.now.monotonic),
            (Lines{"RemoveRoute 16386", "RemoveHop 5.9.0.1:50000 to 5.9.0.1:50001"}));
  EXPECT_EQ(pair.via(), Via::peer);
}

TEST(Hop, goes_with_the_far_allocation) {
  Pair pair;
  pair.bind_both();
  const Outcome deleted =
      pair.world.ask(pair.bob, Method::refresh, [](MessageBuilder& builder) { add_lifetime(builder, 0s); });
  EXPECT_EQ(
      described(deleted.effects, pair.world.now.monotonic),
      (Lines{"SendToClient Refresh success", "RemoveRoute 16386", "RemoveHop 5.9.0.1:50000 to 5.9.0.1:50001",
             "CloseRelaySocket ipv4", "Audit allocation_deleted bob 5.9.0.1:50001"}));
  EXPECT_EQ(pair.via(), Via::nobody);
}

// As if RemoveHop had not arrived, or not yet.
TEST(Hop, is_dead_with_the_far_relay_though_nobody_says_so) {
  Pair pair;
  pair.bind_both();
  pair.world.hops_are_lost = true;
  ASSERT_EQ(pair.world.refresh(pair.bob, 0s), 0);
  EXPECT_EQ(pair.via(), Via::nobody);
  // Somebody else gets the port: it is another relay, and bob is not its client.
  pair.world.next_port = pair.relayed_bob.port;
  TestClient carol = pair.world.client("198.41.0.6:40003");
  ASSERT_EQ(pair.world.allocate(carol).address_in(AttributeType::xor_relayed_address), pair.relayed_bob);
  const Outcome sent = pair.from_alice();
  EXPECT_EQ(sent.forward.via, Via::peer);
  EXPECT_EQ(sent.forward.peer_address, pair.relayed_bob);
}

TEST(Hop, late_removal_spares_a_newer_one) {
  Pair pair;
  pair.bind_both();
  const RelayId near = pair.world.relay_of(pair.relayed_alice);
  const std::uint32_t incarnation = pair.world.relays.incarnation(pair.relayed_bob);
  pair.world.server.handle_hop_removed(near, pair.relayed_bob, incarnation + 1);
  EXPECT_EQ(pair.via(), Via::hop);
  pair.world.server.handle_hop_removed(near, pair.relayed_bob, incarnation);
  EXPECT_EQ(pair.via(), Via::peer);
}

TEST(Hop, of_a_revoked_user_is_gone_after_the_turn) {
  Pair pair;
  pair.bind_both();
  pair.world.server.revoke("bob", pair.world.now);
  EXPECT_EQ(pair.world.channel_data(pair.bob, kOfBob, "x").forward.via, Via::nobody) << "at once";
  pair.world.wait(0s);
  EXPECT_EQ(pair.via(), Via::nobody);
}

TEST(Hop, of_one_family_goes_with_its_relay) {
  World world;
  const World::Fill additional = raw(0x8000, std::string{2, 0, 0, 0});
  TestClient alice = world.client("198.41.0.4:40001");
  TestClient bob = world.client("198.41.0.5:40002");
  world.allocate(alice, additional);  // 50000 and 50001
  world.allocate(bob, additional);    // 50002 and 50003
  ASSERT_EQ(world.bind(alice, 0x4000, "5.9.0.1:50002"), 0);
  ASSERT_EQ(world.bind(alice, 0x4001, "[2a01:4f8::1]:50003"), 0);
  ASSERT_EQ(world.bind(bob, 0x4000, "5.9.0.1:50000"), 0);
  ASSERT_EQ(world.bind(bob, 0x4001, "[2a01:4f8::1]:50001"), 0);
  for (const std::uint16_t number : {std::uint16_t{0x4000}, std::uint16_t{0x4001}}) {
    EXPECT_EQ(text_of(world.channel_data(alice, number, "x")), channel_data(number, "x"));
    EXPECT_EQ(world.channel_data(alice, number, "x").forward.via, Via::hop);
  }
  ASSERT_EQ(world.code(bob, Method::refresh,
                       all({raw(0x0017, std::string{2, 0, 0, 0}),
                            [](MessageBuilder& builder) { add_lifetime(builder, 0s); }})),
            0);
  EXPECT_EQ(world.channel_data(alice, 0x4000, "x").forward.via, Via::hop);
  EXPECT_EQ(world.channel_data(alice, 0x4001, "x").forward.via, Via::nobody);
  EXPECT_EQ(world.channel_data(bob, 0x4001, "x").forward.via, Via::nobody);
  EXPECT_EQ(world.server.broken_invariant(), "");
}

TEST(Hop, works_behind_nat_by_external_addresses) {
  Settings settings;
  settings.external_addresses = {{ip("5.9.0.1"), ip("93.184.216.34")}};
  Pair pair(Transport::udp, Transport::udp, settings);
  ASSERT_EQ(pair.relayed_bob.ip, ip("93.184.216.34"));
  pair.bind_both();
  const Outcome sent = pair.from_alice("x");
  EXPECT_EQ(sent.forward.via, Via::hop);
  EXPECT_EQ(text_of(sent), channel_data(kOfBob, "x"));
}

TEST(Hop, works_where_the_operator_opens_the_own_address) {
  Settings settings;
  settings.allow_peers = {Prefix::parse("5.9.0.1/32").value()};
  Pair pair(Transport::udp, Transport::udp, settings);
  pair.bind_both();
  EXPECT_EQ(pair.via(), Via::hop);
  ASSERT_EQ(pair.world.refresh(pair.bob, 0s), 0);
  EXPECT_EQ(pair.via(), Via::peer);
}

TEST(Hop, to_a_stream_is_padded) {
  Pair pair(Transport::udp, Transport::tcp);
  pair.bind_both();
  for (const std::string_view payload : {"", "1", "12", "123", "1234"}) {
    const Outcome sent = pair.from_alice(payload);
    EXPECT_EQ(sent.forward.via, Via::hop);
    std::string expected = channel_data(kOfBob, payload);
    expected.resize((expected.size() + 3) / 4 * 4);
    EXPECT_EQ(text_of(sent), expected);
  }
  EXPECT_EQ(text_of(pair.world.channel_data(pair.bob, kOfBob, "123")), channel_data(kOfAlice, "123"));
}

TEST(Hop, from_stream_to_stream_is_none) {
  Pair pair(Transport::tcp, Transport::tcp);
  pair.bind_both();
  // As a stream gives them: nothing behind the frame.
  for (const std::size_t size : {3U, 4U}) {
    Buffer frame(4 + size);
    frame[0] = 0x40;
    frame[1] = 0x01;
    frame[3] = static_cast<std::uint8_t>(size);
    Outbox effects;
    const Forward forward = pair.world.server.handle_client_packet(
        pair.alice.client, {frame, 0, frame.size()}, pair.world.now, effects);
    EXPECT_EQ(forward.via, Via::peer) << size;
    EXPECT_EQ(forward.bytes.size(), size);
  }
}

TEST(Hop, leaves_out_what_follows_the_payload) {
  Pair pair;
  pair.bind_both();
  const Buffer padded = {0x40, 0x01, 0, 1, 'x', 0, 0, 0};
  const Forward forward = pair.world.deliver(pair.alice.client, padded).forward;
  EXPECT_EQ(forward.via, Via::hop);
  EXPECT_EQ(to_string(forward.bytes), channel_data(kOfBob, "x"));
}

TEST(Hop, to_oneself_is_one_too) {
  Pair pair;
  ASSERT_EQ(pair.world.bind(pair.alice, kOfAlice, pair.relayed_alice.text()), 0);
  EXPECT_EQ(pair.via(), Via::hop);
  EXPECT_EQ(text_of(pair.from_alice("x")), channel_data(kOfAlice, "x"));
}

TEST(Hop, for_a_relay_that_is_gone_or_of_another_family_is_ignored) {
  Pair pair;
  pair.bind_both();
  const RelayId near = pair.world.relay_of(pair.relayed_alice);
  Hop hop{pair.relayed_bob, 1, pair.bob.client, kOfBob, pair.world.now.monotonic + 100s};
  pair.world.server.handle_hop_installed({near.allocation, Family::ipv6}, hop);
  hop.relayed_address = address("[2a01:4f8::1]:50009");
  pair.world.server.handle_hop_installed(near, hop);
  EXPECT_EQ(pair.world.server.broken_invariant(), "");
  ASSERT_EQ(pair.world.refresh(pair.alice, 0s), 0);
  pair.world.server.handle_hop_installed(near, hop);
  pair.world.server.handle_hop_removed(near, hop.relayed_address, 1);
  EXPECT_EQ(pair.world.server.broken_invariant(), "");
}

TEST(Hop, cannot_be_crowded_out_by_strangers) {
  Pair pair;
  pair.bind_both();
  const RelayId near = pair.world.relay_of(pair.relayed_alice);
  for (std::size_t i = 0; i < 3 * kHopsLimit; ++i) {
    const Address stranger{pair.relayed_bob.ip, static_cast<std::uint16_t>(60'000 + i)};
    pair.world.server.handle_hop_installed(
        near, {stranger, 1, pair.bob.client, kOfBob, pair.world.now.monotonic + 100s});
    ASSERT_EQ(pair.world.server.broken_invariant(), "");
  }
  EXPECT_EQ(pair.via(), Via::hop);
}

}  // namespace
}  // namespace offhook::turn::test
