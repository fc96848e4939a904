// A peer behind a link that is narrower than the server's: what is too large arrives in fragments, whichever
// socket sends it and whichever hears of the link. Over IPv6 routers do not cut, and the server has to learn.

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "service/relay/relay_fixture.h"
#include "three_networks.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;

constexpr std::uint16_t kChannel = 0x4001;
constexpr std::size_t kTooLargeBytes = 1400;
// Over IPv6 the first is lost to the link, and those that follow until the router's report has come.
constexpr int kMostLost = 5;

struct Sockets {
  const char* name;
  bool lookup;
  bool raw;
  PacketSocketChoice packet;
};
constexpr Sockets kSockets[] = {
    {"EachItsOwn", false, false, PacketSocketChoice::off},
    {"OneForAll", true, false, PacketSocketChoice::off},
    {"OneForAllAndRaw", true, true, PacketSocketChoice::off},
    {"OneForAllAndPacket", true, true, PacketSocketChoice::on},
};

class NarrowPath : public testing::TestWithParam<std::tuple<Sockets, Family>> {
 protected:
  void SetUp() override {
    if (!networks_.ready()) GTEST_SKIP() << "no networks of its own (root, iproute2 and ethtool are needed)";
    ASSERT_TRUE(networks_.add_narrow_link());
  }
  static RelaySettings settings() {
    const Sockets& sockets = std::get<0>(GetParam());
    RelaySettings settings;
    settings.listen_addresses = {test::kServerForClients4};
    settings.relay_addresses = {test::kServerForPeers4, test::kServerForPeers6};
    settings.port = 0;
    settings.shards = 1;
    settings.fast_path = FastPathChoice::off;
    settings.socket_lookup = sockets.lookup;
    settings.raw_sockets = sockets.raw;
    settings.packet_sockets = sockets.packet;
    settings.allow_peers = {*Prefix::parse("192.0.2.9"), *Prefix::parse("2001:db8:3::9")};
    return settings;
  }
  test::ThreeNetworks networks_;
};

TEST_P(NarrowPath, IsPassedInFragments) {
  const Family family = std::get<1>(GetParam());
  networks_.enter_server();
  RunningRelay relay(settings());
  networks_.enter_clients();
  TurnClient client(relay.at(Family::ipv4), turn::Transport::udp, {"alice", "wonderland"},
                    Address{test::kClientHost4, 0});
  TurnClient::AllocateOptions options;
  options.family = family;
  const auto allocated = client.allocate(options);
  ASSERT_EQ(allocated.error, 0);
  networks_.enter_far();
  UdpPeer peer(family == Family::ipv4 ? test::kFarHost4 : test::kFarHost6);
  ASSERT_EQ(client.channel_bind(kChannel, peer.address()), 0);

  const Buffer large(kTooLargeBytes, 7);
  const Buffer small(100, 8);
  int lost = 0;
  for (bool arrived = false; !arrived && lost <= kMostLost; lost += arrived ? 0 : 1) {
    client.send_channel_data(kChannel, large);
    // What is small enough passes at once: whether it has come alone tells what became of the one before.
    client.send_channel_data(kChannel, small);
    const auto first = peer.receive();
    ASSERT_TRUE(first) << "after " << lost << " that were lost";
    arrived = first->payload == large;
    if (!arrived) continue;
    EXPECT_EQ(first->from, allocated.relayed());
    const auto second = peer.receive();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->payload, small);
  }
  if (family == Family::ipv4) {
    EXPECT_EQ(lost, 0) << "the router cuts";
  } else {
    EXPECT_GE(lost, 1) << "the link is not narrow";
    EXPECT_LE(lost, kMostLost);
  }
  peer.send(allocated.relayed(), large);
  auto back = client.receive();
  // RFC 8656 section 11.5: the client is told of each that was too large.
  for (int i = 0; i < lost && back && back->icmp; ++i) back = client.receive();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->payload, large);
  networks_.enter_server();
}

INSTANTIATE_TEST_SUITE_P(Sockets, NarrowPath,
                         testing::Combine(testing::ValuesIn(kSockets),
                                          testing::Values(Family::ipv4, Family::ipv6)),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param).name) +
                                  (std::get<1>(each.param) == Family::ipv4 ? "Ipv4" : "Ipv6");
                         });

}  // namespace
}  // namespace offhook::relay
