#include <gtest/gtest.h>

#include "core/turn/fixture.h"
#include "wire/turn/channel_data.h"

namespace offhook::turn::test {
namespace {

using Lines = std::vector<std::string>;
using Via = Forward::Via;

World::Fill additional_ipv6() { return raw(0x8000, std::string{2, 0, 0, 0}); }

struct Live {
  explicit Live(Settings settings = {}, const World::Fill& more = nothing()) : world(std::move(settings)) {
    client = world.client();
    const Answer answer = world.allocate(client, more);
    relay = world.relay_of(answer.address_in(AttributeType::xor_relayed_address));
  }
  World world;
  TestClient client;
  RelayId relay;
};

TEST(CreatePermission, lets_packets_pass_both_ways) {
  Live live;
  EXPECT_EQ(live.world.send(live.client, "8.8.8.8:5000", "x").forward.via, Via::nobody);
  EXPECT_EQ(live.world.from_peer(live.relay, "8.8.8.8:5000", "x").forward.via, Via::nobody);
  EXPECT_EQ(
      described(live.world.ask(live.client, Method::create_permission, peer("8.8.8.8:5000")).effects, {}),
      (Lines{"SendToClient CreatePermission success"}));
  EXPECT_EQ(live.world.send(live.client, "8.8.8.8:5000", "x").forward.via, Via::peer);
  EXPECT_EQ(live.world.send(live.client, "8.8.8.8:5001", "x").forward.via, Via::peer) << "any port";
  EXPECT_EQ(live.world.send(live.client, "8.8.8.9:5000", "x").forward.via, Via::nobody);
  EXPECT_EQ(live.world.from_peer(live.relay, "8.8.8.8:5001", "x").forward.via, Via::client);
  EXPECT_EQ(live.world.from_peer(live.relay, "8.8.8.9:5000", "x").forward.via, Via::nobody);
}

TEST(CreatePermission, answer_holds_integrity_alone) {
  Live live;
  const auto answer =
      answer_in(live.world.ask(live.client, Method::create_permission, peer("8.8.8.8:5000")).effects).value();
  EXPECT_EQ(answer.message().attributes().size(), 1U);
  EXPECT_EQ(answer.bytes.size(), 44U);
}

TEST(CreatePermission, lasts_300_seconds_exactly) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:5000");
  const Instant start = live.world.now.monotonic;
  const auto passes = [&](std::chrono::seconds after) {
    live.world.now.monotonic = start + after;
    const bool out = live.world.send(live.client, "8.8.8.8:5000", "x").forward.via == Via::peer;
    const bool in = live.world.from_peer(live.relay, "8.8.8.8:5000", "x").forward.via == Via::client;
    EXPECT_EQ(out, in);
    return out;
  };
  EXPECT_TRUE(passes(299s));
  EXPECT_FALSE(passes(300s));
  EXPECT_FALSE(passes(301s));
  live.world.wait(0s);
  EXPECT_EQ(live.world.server.broken_invariant(), "");
}

TEST(CreatePermission, again_starts_its_time_again) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:5000");
  live.world.wait(299s);
  live.world.permit(live.client, "8.8.8.8:1");
  live.world.wait(299s);
  EXPECT_EQ(live.world.send(live.client, "8.8.8.8:5000", "x").forward.via, Via::peer);
}

TEST(CreatePermission, of_several_peers_is_all_or_nothing) {
  Live live;
  const auto code = [&](std::vector<World::Fill> peers) {
    return live.world.code(live.client, Method::create_permission, all(std::move(peers)));
  };
  const auto passes = [&](std::string_view to) {
    return live.world.send(live.client, to, "x").forward.via == Via::peer;
  };
  EXPECT_EQ(code({peer("8.8.8.8:5000"), peer("10.0.0.1:5000")}), 403);
  EXPECT_EQ(code({peer("8.8.8.8:5000"), peer("[2a00:1450::5]:5000")}), 443);
  EXPECT_EQ(code({peer("8.8.8.8:5000"), raw(0x0012, "garbage!")}), 400);
  EXPECT_FALSE(passes("8.8.8.8:5000"));
  EXPECT_EQ(code({peer("8.8.8.8:5000"), peer("9.9.9.9:5000"), peer("8.8.8.8:1")}), 0);
  EXPECT_TRUE(passes("8.8.8.8:5000"));
  EXPECT_TRUE(passes("9.9.9.9:5000"));
  EXPECT_EQ(live.world.server.broken_invariant(), "");
}

TEST(CreatePermission, of_a_hundred_peers_is_answered) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  std::vector<World::Fill> peers;
  for (int i = 0; i < 100; ++i) peers.push_back(peer("8.8.8." + std::to_string(i) + ":5000"));
  EXPECT_EQ(world.code(client, Method::create_permission, all(peers)), 0);
  EXPECT_EQ(world.send(client, "8.8.8.99:5000", "x").forward.via, Forward::Via::peer);
}

TEST(CreatePermission, without_peer_is_400) {
  Live live;
  EXPECT_EQ(live.world.code(live.client, Method::create_permission), 400);
}

TEST(CreatePermission, of_a_refused_peer_is_403_and_audited) {
  Live live;
  EXPECT_EQ(
      described(live.world.ask(live.client, Method::create_permission, peer("10.0.0.1:5000")).effects, {}),
      (Lines{"Audit peer_refused alice 10.0.0.1:5000", "SendToClient CreatePermission 403"}));
}

TEST(CreatePermission, of_the_other_family_is_443) {
  Live live;
  EXPECT_EQ(live.world.permit(live.client, "[2a00:1450::5]:5000"), 443);
  Live dual({}, additional_ipv6());
  EXPECT_EQ(dual.world.permit(dual.client, "[2a00:1450::5]:5000"), 0);
}

TEST(CreatePermission, beyond_the_limit_is_508) {
  Settings settings;
  settings.permissions_limit = 3;
  Live live(settings);
  EXPECT_EQ(live.world.permit(live.client, "8.8.8.1:5000"), 0);
  EXPECT_EQ(live.world.permit(live.client, "8.8.8.2:5000"), 0);
  EXPECT_EQ(
      live.world.code(live.client, Method::create_permission, all({peer("8.8.8.3:1"), peer("8.8.8.4:1")})),
      508);
  EXPECT_EQ(live.world.permit(live.client, "8.8.8.3:5000"), 0);
  EXPECT_EQ(live.world.permit(live.client, "8.8.8.4:5000"), 508);
  EXPECT_EQ(live.world.permit(live.client, "8.8.8.1:5000"), 0) << "a refresh adds nothing";
  EXPECT_EQ(live.world.bind(live.client, 0x4000, "8.8.8.4:5000"), 508);
  live.world.wait(300s);
  EXPECT_EQ(live.world.permit(live.client, "8.8.8.4:5000"), 0) << "expired ones do not count";
}

TEST(ChannelBind, binds_and_permits) {
  Live live;
  EXPECT_EQ(live.world.bind(live.client, 0x4000, "8.8.8.8:5000"), 0);
  EXPECT_EQ(live.world.send(live.client, "8.8.8.8:6000", "x").forward.via, Via::peer) << "the permission";
}

TEST(ChannelBind, installs_a_route_until_the_permission_ends) {
  Live live;
  World& world = live.world;
  const auto binding = [&](std::uint16_t number, std::string_view to) {
    return all({raw(0x000C, std::string{static_cast<char>(number >> 8), static_cast<char>(number), 0, 0}),
                peer(to)});
  };
  const Instant start = world.now.monotonic;
  EXPECT_EQ(
      described(world.ask(live.client, Method::channel_bind, binding(0x4000, "8.8.8.8:5000")).effects, start),
      (Lines{"SendToClient ChannelBind success", "InstallRoute 16384 8.8.8.8:5000 for 300 s"}));
  world.wait(100s);
  EXPECT_EQ(
      described(world.ask(live.client, Method::channel_bind, binding(0x4000, "8.8.8.8:5000")).effects, start),
      (Lines{"SendToClient ChannelBind success", "InstallRoute 16384 8.8.8.8:5000 for 400 s"}));
  world.wait(250s);
  EXPECT_EQ(described(world.ask(live.client, Method::create_permission, peer("8.8.8.8:5000")).effects, start),
            (Lines{"SendToClient CreatePermission success", "InstallRoute 16384 8.8.8.8:5000 for 600 s"}))
      << "now the allocation ends first";
  EXPECT_EQ(described(world.ask(live.client, Method::refresh).effects, start),
            (Lines{"SendToClient Refresh success", "InstallRoute 16384 8.8.8.8:5000 for 650 s",
                   "Audit allocation_refreshed alice"}));
  EXPECT_EQ(described(world.ask(live.client, Method::refresh).effects, start),
            (Lines{"SendToClient Refresh success", "Audit allocation_refreshed alice"}))
      << "nothing changes for the route";
}

TEST(ChannelBind, expires_after_600_seconds_and_removes_its_route) {
  Settings settings;
  Live live(settings);
  World& world = live.world;
  world.bind(live.client, 0x4000, "8.8.8.8:5000");
  for (int i = 0; i < 2; ++i) {
    world.wait(299s);
    world.permit(live.client, "8.8.8.8:5000");
    world.refresh(live.client, 3000s);
  }
  EXPECT_EQ(world.channel_data(live.client, 0x4000, "x").forward.via, Via::peer);
  EXPECT_TRUE(world.wait(1999ms).empty());
  EXPECT_EQ(world.channel_data(live.client, 0x4000, "x").forward.via, Via::peer);
  EXPECT_EQ(described(world.wait(1ms), {}), (Lines{"RemoveRoute 16384"}));
  EXPECT_EQ(world.channel_data(live.client, 0x4000, "x").forward.via, Via::nobody);
  EXPECT_EQ(world.send(live.client, "8.8.8.8:5000", "x").forward.via, Via::peer) << "the permission lives on";
  EXPECT_EQ(world.bind(live.client, 0x4000, "8.8.8.8:6000"), 0) << "the number is free again";
}

TEST(ChannelBind, is_silent_while_its_permission_is_out) {
  Live live;
  World& world = live.world;
  world.bind(live.client, 0x4000, "8.8.8.8:5000");
  world.wait(300s);
  EXPECT_EQ(world.channel_data(live.client, 0x4000, "x").forward.via, Via::nobody);
  EXPECT_EQ(world.from_peer(live.relay, "8.8.8.8:5000", "x").forward.via, Via::nobody);
  EXPECT_EQ(world.server.broken_invariant(), "");
  world.permit(live.client, "8.8.8.8:5000");
  EXPECT_EQ(world.channel_data(live.client, 0x4000, "x").forward.via, Via::peer);
}

TEST(ChannelBind, takes_the_numbers_of_rfc_5766_where_the_operator_says_so) {
  Settings settings;
  settings.channel_number_last = kChannelNumberLastRfc5766;
  Live live(settings);
  World& world = live.world;
  TestClient& client = live.client;
  EXPECT_EQ(world.bind(client, 0x5000, "8.8.8.8:5000"), 0);
  EXPECT_EQ(world.bind(client, 0x7FFF, "8.8.8.8:5001"), 0);
  EXPECT_EQ(world.bind(client, 0x8000, "8.8.8.8:5002"), 400);
  EXPECT_EQ(world.channel_data(client, 0x7FFF, "x").forward.via, Via::peer);
}

TEST(ChannelBind, refuses_bad_and_taken_numbers) {
  Live live;
  World& world = live.world;
  for (const std::uint16_t number : std::vector<std::uint16_t>{0x0000, 0x3FFF, 0x5000, 0x7FFF, 0xFFFF}) {
    EXPECT_EQ(world.bind(live.client, number, "8.8.8.8:5000"), 400) << number;
  }
  EXPECT_EQ(world.bind(live.client, 0x4FFF, "8.8.8.8:5000"), 0);
  EXPECT_EQ(world.bind(live.client, 0x4FFF, "8.8.8.8:5001"), 400) << "the number stands for another peer";
  EXPECT_EQ(world.bind(live.client, 0x4FFE, "8.8.8.8:5000"), 400) << "the peer has another number";
  EXPECT_EQ(world.bind(live.client, 0x4FFE, "8.8.8.8:5001"), 0);
  EXPECT_EQ(world.bind(live.client, 0x4FFE, "8.8.8.8:5000"), 400) << "both are bound, to others";
  EXPECT_EQ(world.server.broken_invariant(), "");
}

TEST(ChannelBind, needs_both_attributes_whole) {
  Live live;
  World& world = live.world;
  const World::Fill number = raw(0x000C, std::string{0x40, 0, 0, 0});
  EXPECT_EQ(world.code(live.client, Method::channel_bind), 400);
  EXPECT_EQ(world.code(live.client, Method::channel_bind, number), 400);
  EXPECT_EQ(world.code(live.client, Method::channel_bind, peer("8.8.8.8:5000")), 400);
  EXPECT_EQ(world.code(live.client, Method::channel_bind, all({raw(0x000C, "ab"), peer("8.8.8.8:5000")})),
            400);
  EXPECT_EQ(world.code(live.client, Method::channel_bind, all({number, raw(0x0012, "ab")})), 400);
  EXPECT_EQ(world.code(live.client, Method::channel_bind, all({number, peer("[2a00:1450::5]:5000")})), 443);
  EXPECT_EQ(world.code(live.client, Method::channel_bind, all({number, peer("10.0.0.1:5000")})), 403);
  EXPECT_EQ(world.send(live.client, "10.0.0.1:5000", "x").forward.via, Via::nobody);
}

TEST(ChannelBind, beyond_the_limit_is_508) {
  Settings settings;
  settings.channels_limit = 2;
  Live live(settings);
  EXPECT_EQ(live.world.bind(live.client, 0x4000, "8.8.8.8:5000"), 0);
  EXPECT_EQ(live.world.bind(live.client, 0x4001, "8.8.8.8:5001"), 0);
  EXPECT_EQ(live.world.bind(live.client, 0x4002, "8.8.8.8:5002"), 508);
  EXPECT_EQ(live.world.bind(live.client, 0x4001, "8.8.8.8:5001"), 0) << "a refresh adds nothing";
}

TEST(Growth, is_bounded_whatever_is_asked) {
  Live live;
  std::map<int, std::size_t> codes;
  for (unsigned i = 0; i < 4096; ++i) {
    const std::string to = "8." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".1:5000";
    codes[live.world.bind(live.client, static_cast<std::uint16_t>(0x4000 + i), to).value()] += 1;
  }
  EXPECT_EQ(codes, (std::map<int, std::size_t>{{0, 128}, {508, 3968}}));
}

}  // namespace
}  // namespace offhook::turn::test
