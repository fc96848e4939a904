// A relay in networks of its own, whose packet filter counts what the kernel's IP sends: with packet sockets
// it sees next to nothing of the relayed packets, by default each, and everybody receives the same.

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "io/net/own_network.h"
#include "io/net/packet_filter.h"
#include "service/relay/relay_fixture.h"
#include "three_networks.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;

constexpr std::uint16_t kChannel = 0x4001;
constexpr std::uint64_t kPackets = 200;  // each way

std::uint64_t packets_counted() {
  FILE* shell = popen("nft list counter inet t sent | sed -n 's/.*packets \\([0-9]*\\).*/\\1/p'", "r");
  unsigned long long count = 0;
  EXPECT_EQ(fscanf(shell, "%llu", &count), 1);
  EXPECT_EQ(pclose(shell), 0);
  return count;
}

class PacketSockets : public testing::TestWithParam<turn::Transport> {
 protected:
  void SetUp() override {
    if (!networks_.ready()) GTEST_SKIP() << "no networks of its own (root, iproute2 and ethtool are needed)";
    networks_.enter_server();
    if (const std::string found = io::packet_filter_in_the_way(); !found.empty()) GTEST_SKIP() << found;
  }
  // Relays kPackets each way; returns how many of all that the server sent over UDP its packet filter saw.
  std::uint64_t seen_by_filter(PacketSocketChoice choice) {
    networks_.enter_server();
    EXPECT_TRUE(
        io::run("nft 'add table inet t; add counter inet t sent;"
                "add chain inet t o { type filter hook output priority 0; };"
                "add rule inet t o meta l4proto udp counter name sent'"));
    RelaySettings settings;
    settings.listen_addresses = {test::kServerForClients4};
    settings.relay_addresses = {test::kServerForPeers4};
    settings.port = 0;
    settings.shards = 1;
    settings.fast_path = FastPathChoice::off;
    settings.packet_sockets = choice;
    settings.allow_peers = {*Prefix::parse("198.51.100.9")};
    auto relay = std::make_unique<RunningRelay>(settings);
    relay_packets(*relay);
    networks_.enter_server();
    relay.reset();
    const std::uint64_t count = packets_counted();
    EXPECT_TRUE(io::run("nft delete table inet t"));
    return count;
  }
  void relay_packets(RunningRelay& relay) {
    networks_.enter_clients();
    TurnClient client(relay.at(Family::ipv4), GetParam(), {"alice", "wonderland"},
                      Address{test::kClientHost4, 0});
    const auto allocated = client.allocate({});
    ASSERT_EQ(allocated.error, 0);
    networks_.enter_peers();
    UdpPeer peer(test::kPeerHost4);
    ASSERT_EQ(client.channel_bind(kChannel, peer.address()), 0);
    for (std::uint64_t i = 0; i < kPackets; ++i) {
      const Buffer payload(100 + i, static_cast<std::uint8_t>(i));
      client.send_channel_data(kChannel, payload);
      const auto up = peer.receive();
      ASSERT_TRUE(up);
      EXPECT_EQ(up->payload, payload);
      EXPECT_EQ(up->from, allocated.relayed());
      peer.send(allocated.relayed(), payload);
      const auto down = client.receive();
      ASSERT_TRUE(down);
      EXPECT_EQ(down->payload, payload);
    }
  }
  test::ThreeNetworks networks_;
};

TEST_P(PacketSockets, GoPastThePacketFilterOnlyWhereTheyMay) {
  const std::uint64_t relayed_over_udp = GetParam() == turn::Transport::udp ? 2 * kPackets : kPackets;
  EXPECT_LT(seen_by_filter(PacketSocketChoice::on), relayed_over_udp / 4);
  EXPECT_GE(seen_by_filter(PacketSocketChoice::automatic), relayed_over_udp);
  EXPECT_GE(seen_by_filter(PacketSocketChoice::off), relayed_over_udp);
}

INSTANTIATE_TEST_SUITE_P(Transports, PacketSockets,
                         testing::Values(turn::Transport::udp, turn::Transport::tcp),
                         [](const auto& each) { return each.param == turn::Transport::udp ? "Udp" : "Tcp"; });

}  // namespace
}  // namespace offhook::relay
