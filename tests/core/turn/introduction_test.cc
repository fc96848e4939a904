#include <gtest/gtest.h>

#include "core/turn/fixture.h"
#include "core/turn/introductions.h"

namespace offhook::turn::test {
namespace {

using Lines = std::vector<std::string>;
using Via = Forward::Via;

Settings by_call() {
  Settings settings;
  settings.peer_rule = PeerRule::call;
  return settings;
}

// Alice, with an allocation.
struct Alice {
  explicit Alice(Settings settings = {}) : world(std::move(settings)) {
    world.allocate(client);
    relay = world.open_relays.begin()->first;
  }
  Via from_peer(std::string_view peer_address) {
    return world.from_peer(relay, peer_address, "x").forward.via;
  }
  Via to_peer(std::string_view peer_address) { return world.send(client, peer_address, "x").forward.via; }

  World world;
  TestClient client = world.client();
  RelayId relay;
};

TEST(Introduction, permits_an_address_both_ways_without_a_request) {
  Alice alice;
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::nobody);
  EXPECT_TRUE(alice.world.introduce("alice", "call", "8.8.8.8:5000").empty());
  EXPECT_EQ(alice.from_peer("8.8.8.8:6000"), Via::client) << "permissions are of IP addresses";
  EXPECT_EQ(alice.to_peer("8.8.8.8:5000"), Via::peer);
  EXPECT_EQ(alice.from_peer("9.9.9.9:5000"), Via::nobody);
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
}

TEST(Introduction, is_of_the_user_whatever_the_username) {
  World world;
  world.credentials.users["1700003600:carol"] = {{"a"}, "carol"};
  TestClient carol = world.client("198.41.0.4:40001");
  carol.username = "1700003600:carol";
  carol.password = "a";
  TestClient alice = world.client();
  world.allocate(carol);
  world.allocate(alice);
  world.introduce("carol", "call", "8.8.8.8:5000");
  EXPECT_EQ(world.send(carol, "8.8.8.8:5000", "x").forward.via, Via::peer);
  EXPECT_EQ(world.send(alice, "8.8.8.8:5000", "x").forward.via, Via::nobody);
}

TEST(Introduction, holds_for_every_allocation_of_the_user_and_for_later_ones) {
  Alice alice;
  TestClient second = alice.world.client("198.41.0.4:40001");
  TestClient later = alice.world.client("198.41.0.4:40002");
  alice.world.allocate(second);
  alice.world.introduce("alice", "call", "8.8.8.8:5000");
  alice.world.allocate(later);
  for (const TestClient* client : {&alice.client, &second, &later}) {
    EXPECT_EQ(alice.world.send(*client, "8.8.8.8:5000", "x").forward.via, Via::peer);
  }
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
}

TEST(Introduction, reaches_an_allocation_that_is_still_opening) {
  World world;
  world.relays_stay_opening = true;
  TestClient client = world.client();
  Outcome opening = world.ask(client, Method::allocate, udp());
  world.introduce("alice", "call", "8.8.8.8:5000");
  world.relays_stay_opening = false;
  world.obey(opening.effects);
  EXPECT_EQ(world.send(client, "8.8.8.8:5000", "x").forward.via, Via::peer);
}

TEST(Introduction, lasts_as_long_as_the_call) {
  Alice alice;
  alice.world.introduce("alice", "call", "8.8.8.8:5000");
  for (int i = 0; i < 6; ++i) {
    alice.world.wait(500s);
    ASSERT_EQ(alice.world.refresh(alice.client, 600s), 0);
  }
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::client);
  alice.world.call_over("call");
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::nobody);
  TestClient later = alice.world.client("198.41.0.4:40002");
  alice.world.allocate(later);
  EXPECT_EQ(alice.world.send(later, "8.8.8.8:5000", "x").forward.via, Via::nobody);
}

TEST(Introduction, is_not_shortened_by_the_clients_own_permission) {
  Alice alice;
  alice.world.introduce("alice", "call", "8.8.8.8:5000");
  ASSERT_EQ(alice.world.permit(alice.client, "8.8.8.8:5000"), 0);
  alice.world.wait(599s);
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::client);
}

TEST(Introduction, leaves_the_clients_own_permission_when_the_call_is_over) {
  Alice alice;
  ASSERT_EQ(alice.world.permit(alice.client, "9.9.9.9:5000"), 0);
  alice.world.introduce("alice", "call", "8.8.8.8:5000");
  alice.world.introduce("alice", "call", "9.9.9.9:5000");
  alice.world.wait(100s);
  ASSERT_EQ(alice.world.permit(alice.client, "8.8.8.8:5000"), 0);
  alice.world.wait(100s);
  alice.world.call_over("call");
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
  alice.world.wait(100s - 1ms);
  EXPECT_EQ(alice.from_peer("9.9.9.9:5000"), Via::client) << "asked for before the call";
  alice.world.wait(1ms);
  EXPECT_EQ(alice.from_peer("9.9.9.9:5000"), Via::nobody);
  alice.world.wait(100s - 1ms);
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::client) << "asked for during the call";
  alice.world.wait(1ms);
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::nobody);
}

TEST(Introduction, whose_own_permission_lapsed_ends_its_route_with_the_call) {
  Alice alice;
  ASSERT_EQ(alice.world.bind(alice.client, 0x4000, "8.8.8.8:5000"), 0);
  alice.world.introduce("alice", "call", "8.8.8.8:5000");
  alice.world.wait(400s);
  EXPECT_EQ(alice.world.channel_data(alice.client, 0x4000, "x").forward.via, Via::peer);
  EXPECT_EQ(described(alice.world.call_over("call"), alice.world.now.monotonic),
            (Lines{"InstallRoute 16384 8.8.8.8:5000 for 0 s"}));
  EXPECT_EQ(alice.world.channel_data(alice.client, 0x4000, "x").forward.via, Via::nobody);
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
  ASSERT_EQ(alice.world.permit(alice.client, "8.8.8.8:5000"), 0);
  EXPECT_EQ(alice.world.channel_data(alice.client, 0x4000, "x").forward.via, Via::peer) << "still bound";
}

TEST(Introduction, carries_a_channel_beyond_its_permission) {
  Alice alice;
  ASSERT_EQ(alice.world.bind(alice.client, 0x4000, "8.8.8.8:5000"), 0);
  EXPECT_EQ(described(alice.world.introduce("alice", "call", "8.8.8.8:5000"), alice.world.now.monotonic),
            (Lines{"InstallRoute 16384 8.8.8.8:5000 for 600 s"}));
  EXPECT_EQ(described(alice.world.call_over("call"), alice.world.now.monotonic),
            (Lines{"InstallRoute 16384 8.8.8.8:5000 for 300 s"}));
}

TEST(Introduction, by_two_calls_ends_with_the_last) {
  Alice alice;
  alice.world.introduce("alice", "one", "8.8.8.8:5000");
  alice.world.introduce("alice", "other", "8.8.8.8:5001");
  alice.world.introduce("bob", "one", "9.9.9.9:5000");
  alice.world.call_over("one");
  alice.world.wait(599s);
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::client);
  ASSERT_EQ(alice.world.refresh(alice.client, 600s), 0);
  alice.world.call_over("other");
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::nobody);
  alice.world.call_over("other");
  alice.world.call_over("never heard of");
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
}

TEST(Introduction, opens_no_gate) {
  Alice alice;
  for (const std::string_view peer_address : {"10.0.0.1:5000", "127.0.0.1:5000", "[::1]:5000", "0.0.0.0:5000",
                                              "[64:ff9b::808:808]:5000", "169.254.169.254:5000"}) {
    alice.world.introduce("alice", "call", peer_address);
    EXPECT_EQ(alice.world.permit(alice.client, peer_address),
              address(peer_address).family() == Family::ipv4 ? 403 : 443);
    EXPECT_EQ(alice.to_peer(peer_address), Via::nobody) << peer_address;
  }
  // The IP address of relays here: ports that are none stay closed.
  alice.world.introduce("alice", "call", "5.9.0.1:3478");
  EXPECT_EQ(alice.to_peer("5.9.0.1:3478"), Via::nobody);
  EXPECT_EQ(alice.to_peer("5.9.0.1:8080"), Via::nobody);
}

TEST(Introduction, of_a_family_that_is_not_relayed_waits_for_one_that_is) {
  Alice alice;
  alice.world.introduce("alice", "call", "[2a00:1450::5]:5000");
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
  TestClient dual = alice.world.client("198.41.0.4:40001");
  alice.world.allocate(dual, raw(0x8000, std::string{2, 0, 0, 0}));
  EXPECT_EQ(alice.world.send(dual, "[2a00:1450::5]:5000", "x").forward.via, Via::peer);
}

TEST(Introduction, stops_at_half_the_limit_of_permissions) {
  Settings settings;
  settings.permissions_limit = 4;
  Alice alice(settings);
  alice.world.introduce("alice", "one", "8.8.8.1:5000");
  alice.world.introduce("alice", "one", "8.8.8.2:5000");
  alice.world.introduce("alice", "one", "8.8.8.3:5000");
  alice.world.introduce("alice", "other", "8.8.8.4:5000");
  EXPECT_EQ(alice.to_peer("8.8.8.1:5000"), Via::peer);
  EXPECT_EQ(alice.to_peer("8.8.8.2:5000"), Via::peer);
  EXPECT_EQ(alice.to_peer("8.8.8.3:5000"), Via::nobody);
  EXPECT_EQ(alice.to_peer("8.8.8.4:5000"), Via::nobody);
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
  TestClient later = alice.world.client("198.41.0.4:40002");
  alice.world.allocate(later);
  EXPECT_EQ(alice.world.send(later, "8.8.8.2:5000", "x").forward.via, Via::peer);
  EXPECT_EQ(alice.world.send(later, "8.8.8.3:5000", "x").forward.via, Via::nobody);
}

TEST(Introduction, takes_no_permission_from_the_client) {
  Settings settings;
  settings.permissions_limit = 4;
  Alice alice(settings);
  alice.world.introduce("alice", "call", "8.8.8.1:5000");
  alice.world.introduce("alice", "call", "8.8.8.2:5000");
  // As many as without a call, whether introduced or not, asked for before more are introduced or after.
  EXPECT_EQ(alice.world.permit(alice.client, "8.8.8.1:5000"), 0);
  alice.world.introduce("alice", "other", "8.8.8.3:5000");
  EXPECT_EQ(alice.world.permit(alice.client, "9.9.9.1:5000"), 0);
  EXPECT_EQ(alice.world.permit(alice.client, "9.9.9.2:5000"), 0);
  EXPECT_EQ(alice.world.bind(alice.client, 0x4000, "9.9.9.3:5000"), 0);
  EXPECT_EQ(alice.world.permit(alice.client, "9.9.9.4:5000"), 508);
  EXPECT_EQ(alice.world.permit(alice.client, "8.8.8.2:5000"), 508) << "a fifth of its own";
  EXPECT_EQ(alice.world.bind(alice.client, 0x4001, "8.8.8.2:5000"), 508);
  EXPECT_EQ(alice.world.permit(alice.client, "8.8.8.1:5000"), 0) << "refreshed";
  EXPECT_EQ(alice.to_peer("8.8.8.2:5000"), Via::peer) << "introduced as before";
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
  // What the client no longer asks for is no more its own, though a call still holds it.
  alice.world.wait(300s);
  EXPECT_EQ(alice.world.code(alice.client, Method::create_permission,
                             all({peer("9.9.9.4:5000"), peer("9.9.9.5:5000"), peer("9.9.9.6:5000"),
                                  peer("9.9.9.7:5000")})),
            0);
  EXPECT_EQ(alice.to_peer("8.8.8.1:5000"), Via::peer);
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
}

TEST(Introduction, of_too_many_addresses_is_refused) {
  Alice alice;
  const auto introduce = [&](std::string_view user, const std::string& call, std::size_t host) {
    Outbox effects;
    const Address named{Ip::v4(0x08080000U + static_cast<std::uint32_t>(host)), 5000};
    return alice.world.server.handle_peer_introduced(user, call, named, alice.world.now, effects);
  };
  for (std::size_t i = 0; i < kIntroducedLimit; ++i) ASSERT_TRUE(introduce("alice", "call", i));
  EXPECT_TRUE(introduce("alice", "call", 0)) << "known already";
  EXPECT_FALSE(introduce("alice", "call", kIntroducedLimit));
  EXPECT_TRUE(introduce("bob", "call", kIntroducedLimit));
  EXPECT_FALSE(introduce("carol", "call", 1)) << "a call has two parties";
  EXPECT_TRUE(introduce("alice", "next", kIntroducedLimit));
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
}

TEST(Introduction, by_more_calls_than_the_limit_displaces_the_oldest) {
  Alice alice;
  for (std::size_t i = 0; i < kCallsOfUserLimit; ++i) {
    alice.world.introduce("alice", "call " + std::to_string(i), "8.8.8." + std::to_string(i) + ":5000");
  }
  alice.world.introduce("alice", "one more", "9.9.9.9:5000");
  EXPECT_EQ(alice.world.server.broken_invariant(), "");
  EXPECT_EQ(alice.to_peer("8.8.8.0:5000"), Via::nobody);
  EXPECT_EQ(alice.to_peer("8.8.8.1:5000"), Via::peer);
  EXPECT_EQ(alice.to_peer("9.9.9.9:5000"), Via::peer);
}

TEST(Introduction, of_calls_in_all_is_limited) {
  Alice alice;
  Outbox effects;
  const auto introduce = [&](std::size_t call) {
    return alice.world.server.handle_peer_introduced("user " + std::to_string(call), std::to_string(call),
                                                     address("8.8.8.8:5000"), alice.world.now, effects);
  };
  for (std::size_t i = 0; i < kIntroducedCallsLimit; ++i) ASSERT_TRUE(introduce(i));
  EXPECT_FALSE(introduce(kIntroducedCallsLimit));
  alice.world.call_over("0");
  EXPECT_TRUE(introduce(kIntroducedCallsLimit));
}

TEST(RuleOfCalls, refuses_who_was_not_introduced) {
  Alice alice(by_call());
  Outcome refused = alice.world.ask(alice.client, Method::create_permission, peer("8.8.8.8:5000"));
  EXPECT_EQ(described(refused.effects, alice.world.now.monotonic),
            (Lines{"Audit peer_refused alice 8.8.8.8:5000", "SendToClient CreatePermission 403"}));
  refused = alice.world.ask(alice.client, Method::channel_bind,
                            all({raw(0x000C, std::string{0x40, 0, 0, 0}), peer("8.8.8.8:5000")}));
  EXPECT_EQ(described(refused.effects, alice.world.now.monotonic),
            (Lines{"Audit peer_refused alice 8.8.8.8:5000", "SendToClient ChannelBind 403"}));
  const Outcome sent = alice.world.send(alice.client, "8.8.8.8:5000", "x");
  EXPECT_EQ(sent.forward.via, Via::nobody);
  EXPECT_TRUE(sent.effects.empty());
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::nobody);
}

TEST(RuleOfCalls, lets_whom_a_call_has_introduced_to_this_user) {
  Alice alice(by_call());
  alice.world.introduce("bob", "call", "9.9.9.9:5000");
  alice.world.introduce("alice", "call", "8.8.8.8:5000");
  EXPECT_EQ(alice.world.permit(alice.client, "8.8.8.8:5000"), 0);
  EXPECT_EQ(alice.world.bind(alice.client, 0x4000, "8.8.8.8:6000"), 0);
  EXPECT_EQ(alice.world.permit(alice.client, "9.9.9.9:5000"), 403) << "of the other party";
  EXPECT_EQ(alice.world.code(alice.client, Method::create_permission,
                             all({peer("8.8.8.8:5000"), peer("9.9.9.9:5000")})),
            403)
      << "all or nothing";
}

TEST(RuleOfCalls, refuses_again_once_the_call_is_over) {
  Alice alice(by_call());
  alice.world.introduce("alice", "call", "8.8.8.8:5000");
  ASSERT_EQ(alice.world.bind(alice.client, 0x4000, "8.8.8.8:5000"), 0);
  alice.world.call_over("call");
  EXPECT_EQ(alice.world.permit(alice.client, "8.8.8.8:5000"), 403);
  EXPECT_EQ(alice.world.bind(alice.client, 0x4000, "8.8.8.8:5000"), 403);
  EXPECT_EQ(alice.world.channel_data(alice.client, 0x4000, "x").forward.via, Via::peer) << "for now";
  alice.world.wait(300s);
  EXPECT_EQ(alice.world.channel_data(alice.client, 0x4000, "x").forward.via, Via::nobody);
  EXPECT_EQ(alice.from_peer("8.8.8.8:5000"), Via::nobody);
}

TEST(RuleOfCalls, knows_a_relay_behind_nat_by_both_its_addresses) {
  Settings settings = by_call();
  settings.external_addresses = {{ip("5.9.0.1"), ip("93.184.216.34")}};
  Alice alice(settings);
  TestClient bob = alice.world.client("198.41.0.4:40001");
  bob.username = "bob";
  bob.password = "hunter2";
  const Address external = alice.world.allocate(bob).address_in(AttributeType::xor_relayed_address);
  ASSERT_EQ(external.ip, ip("93.184.216.34"));
  EXPECT_EQ(alice.world.permit(alice.client, external.text()), 403);
  alice.world.introduce("alice", "call", external.text());
  EXPECT_EQ(alice.world.permit(alice.client, external.text()), 0);
  EXPECT_EQ(alice.world.bind(alice.client, 0x4000, external.text()), 0);
}

}  // namespace
}  // namespace offhook::turn::test
