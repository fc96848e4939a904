// A dual allocation: each of its relayed addresses has its own time-to-expiry, and goes alone.

#include <gtest/gtest.h>

#include "core/turn/fixture.h"
#include "wire/turn/attr_lifetime.h"

namespace offhook::turn::test {
namespace {

using Lines = std::vector<std::string>;

World::Fill lifetime(std::chrono::seconds value) {
  return [value](MessageBuilder& builder) { add_lifetime(builder, value); };
}
World::Fill family(Family of) {
  return raw(0x0017, std::string{static_cast<char>(of == Family::ipv4 ? 1 : 2), 0, 0, 0});
}
World::Fill additional_ipv6() { return raw(0x8000, std::string{2, 0, 0, 0}); }

constexpr std::string_view kPeer4 = "8.8.8.8:5000";
constexpr std::string_view kPeer6 = "[2a00:1450::5]:5000";

struct Dual {
  Dual() {
    world.allocate(client, additional_ipv6());
    for (const auto& [id, bound] : world.open_relays) (id.family == Family::ipv4 ? relay4 : relay6) = id;
    bind_both();
  }
  void bind_both() {
    ASSERT_EQ(world.bind(client, 0x4000, kPeer4), 0);
    ASSERT_EQ(world.bind(client, 0x4001, kPeer6), 0);
  }
  // The channels of both families, kept alive to `now + span`, and the relays as they are.
  void keep_channels(std::chrono::seconds span) {
    for (; span > 200s; span -= 200s) {
      world.wait(200s);
      bind_both();
    }
    world.wait(span);
  }
  std::optional<int> refresh(Family of, std::chrono::seconds wanted) {
    return world.code(client, Method::refresh, all({family(of), lifetime(wanted)}));
  }
  bool passes(Family of) {
    const bool is_ipv4 = of == Family::ipv4;
    const std::string_view peer = is_ipv4 ? kPeer4 : kPeer6;
    const bool channel =
        world.channel_data(client, is_ipv4 ? 0x4000 : 0x4001, "x").forward.via == Forward::Via::peer;
    const bool send = world.send(client, peer, "x").forward.via == Forward::Via::peer;
    const bool back =
        world.from_peer(is_ipv4 ? relay4 : relay6, peer, "x").forward.via == Forward::Via::client;
    EXPECT_EQ(channel, send);
    EXPECT_EQ(channel, back);
    return channel;
  }

  World world;
  TestClient client = world.client();
  RelayId relay4;
  RelayId relay6;
};

// What the family that is gone leaves, in order.
Lines closed(Family of) {
  if (of == Family::ipv4) return {"RemoveRoute 16384", "CloseRelaySocket ipv4"};
  return {"RemoveRoute 16385", "CloseRelaySocket ipv6"};
}
Family other_than(Family of) { return of == Family::ipv4 ? Family::ipv6 : Family::ipv4; }

class EachFamily : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Families, EachFamily, testing::Values(Family::ipv4, Family::ipv6),
                         [](const auto& tested) { return tested.param == Family::ipv4 ? "ipv4" : "ipv6"; });

TEST_P(EachFamily, expires_alone_where_the_other_is_refreshed) {
  Dual dual;
  const Family gone = other_than(GetParam());
  dual.keep_channels(300s);
  dual.bind_both();
  ASSERT_EQ(dual.refresh(GetParam(), 3000s), 0);
  dual.world.wait(300s - 1ms);
  dual.bind_both();
  EXPECT_TRUE(dual.passes(Family::ipv4));
  EXPECT_TRUE(dual.passes(Family::ipv6));
  EXPECT_EQ(described(dual.world.wait(1ms), dual.world.now.monotonic), closed(gone));
  EXPECT_EQ(dual.world.server.broken_invariant(), "");
  EXPECT_EQ(dual.world.open_relays.size(), 1U);
  EXPECT_TRUE(dual.passes(GetParam()));
  EXPECT_FALSE(dual.passes(gone));
  EXPECT_EQ(dual.world.permit(dual.client, gone == Family::ipv4 ? kPeer4 : kPeer6), 443);
  EXPECT_EQ(dual.refresh(gone, 600s), 443) << "what has expired cannot be extended";
  EXPECT_EQ(dual.refresh(gone, 0s), 0) << "and may be deleted once more";
  EXPECT_EQ(dual.world.server.allocation_count(), 1U);
  Lines all_effects;
  for (int i = 0; i < 30; ++i) {
    for (std::string& line : described(dual.world.wait(100s), dual.world.now.monotonic)) {
      if (line.starts_with("CloseRelaySocket")) all_effects.push_back(std::move(line));
    }
  }
  EXPECT_EQ(all_effects,
            (Lines{GetParam() == Family::ipv4 ? "CloseRelaySocket ipv4" : "CloseRelaySocket ipv6"}))
      << "each relay is closed once";
  EXPECT_EQ(dual.world.server.allocation_count(), 0U);
  EXPECT_EQ(dual.world.quota.total(), 0U);
}

TEST_P(EachFamily, expiry_is_seen_before_the_deadline_is_handled) {
  Dual dual;
  const Family gone = other_than(GetParam());
  ASSERT_EQ(dual.refresh(GetParam(), 3000s), 0);
  dual.keep_channels(500s);
  dual.bind_both();
  dual.world.now.monotonic += 100s;  // and handle_deadlines has not run
  EXPECT_TRUE(dual.passes(GetParam()));
  EXPECT_FALSE(dual.passes(gone));
  Outbox icmp;
  dual.world.server.handle_peer_icmp(gone == Family::ipv4 ? dual.relay4 : dual.relay6,
                                     address(gone == Family::ipv4 ? kPeer4 : kPeer6),
                                     gone == Family::ipv4 ? 3 : 1, 1, 0, dual.world.now, icmp);
  EXPECT_TRUE(icmp.empty());
  Lines expected = closed(gone);
  expected.push_back("SendToClient CreatePermission 443");
  const Outcome outcome =
      dual.world.ask(dual.client, Method::create_permission, peer(gone == Family::ipv4 ? kPeer4 : kPeer6));
  EXPECT_EQ(described(outcome.effects, dual.world.now.monotonic), expected);
}

TEST_P(EachFamily, a_route_ends_with_its_own_relayed_address) {
  Dual dual;
  dual.keep_channels(400s);
  const bool is_ipv4 = GetParam() == Family::ipv4;
  const Outcome refreshed =
      dual.world.ask(dual.client, Method::refresh, all({family(GetParam()), lifetime(3000s)}));
  dual.bind_both();
  const auto bound = [&](std::uint16_t number, std::string_view peer_address) {
    Lines lines = described(
        dual.world
            .ask(dual.client, Method::channel_bind,
                 all({raw(0x000C, std::string{0x40, static_cast<char>(number), 0, 0}), peer(peer_address)}))
            .effects,
        dual.world.now.monotonic);
    return lines.back();
  };
  EXPECT_EQ(bound(0, kPeer4),
            "InstallRoute 16384 8.8.8.8:5000 for " + std::string(is_ipv4 ? "300" : "200") + " s");
  EXPECT_EQ(bound(1, kPeer6),
            "InstallRoute 16385 [2a00:1450::5]:5000 for " + std::string(is_ipv4 ? "200" : "300") + " s");
}

TEST(DualAllocation, refreshed_without_a_family_keeps_both) {
  Dual dual;
  dual.world.wait(100s);
  ASSERT_EQ(dual.refresh(Family::ipv6, 3000s), 0);
  ASSERT_EQ(dual.world.refresh(dual.client, 700s), 0);
  dual.bind_both();
  EXPECT_EQ(dual.world.server.allocation_count(), 1U);
  dual.world.wait(700s - 1ms);
  EXPECT_EQ(dual.world.open_relays.size(), 2U);
  EXPECT_EQ(described(dual.world.wait(1ms), dual.world.now.monotonic),
            (Lines{"CloseRelaySocket ipv4", "CloseRelaySocket ipv6",
                   "Audit allocation_expired alice 5.9.0.1:50000"}))
      << "also the one that had been extended further";
}

TEST(DualAllocation, deleted_family_shortens_nothing_of_the_other) {
  Dual dual;
  ASSERT_EQ(dual.refresh(Family::ipv4, 3000s), 0);
  ASSERT_EQ(dual.refresh(Family::ipv4, 0s), 0);
  EXPECT_EQ(dual.world.server.broken_invariant(), "");
  dual.world.wait(600s - 1ms);
  EXPECT_EQ(dual.world.server.allocation_count(), 1U);
  const auto last = described(dual.world.wait(1ms), dual.world.now.monotonic);
  EXPECT_EQ(last.back(), "Audit allocation_expired alice [2a01:4f8::1]:50001");
  EXPECT_EQ(dual.world.server.allocation_count(), 0U);
}

TEST(DualAllocation, revoked_ends_with_both) {
  Dual dual;
  ASSERT_EQ(dual.refresh(Family::ipv6, 3000s), 0);
  dual.world.server.revoke("alice", dual.world.now);
  EXPECT_EQ(dual.world.server.broken_invariant(), "");
  EXPECT_FALSE(dual.passes(Family::ipv4));
  EXPECT_FALSE(dual.passes(Family::ipv6));
  dual.world.wait(0s);
  EXPECT_TRUE(dual.world.open_relays.empty());
}

TEST(DualAllocation, with_one_family_that_failed_lives_as_long_as_the_other) {
  World world;
  world.next_failure = Server::RelayFailure::no_port_free;
  world.failing_family = Family::ipv6;
  TestClient client = world.client();
  world.allocate(client, additional_ipv6());
  EXPECT_EQ(world.code(client, Method::refresh, family(Family::ipv6)), 443);
  ASSERT_EQ(world.code(client, Method::refresh, all({family(Family::ipv4), lifetime(700s)})), 0);
  EXPECT_EQ(world.server.broken_invariant(), "");
  world.wait(700s - 1ms);
  EXPECT_EQ(world.server.allocation_count(), 1U);
  world.wait(1ms);
  EXPECT_EQ(world.server.allocation_count(), 0U);
}

}  // namespace
}  // namespace offhook::turn::test
