// A relay in networks of its own, whose packet filter counts what the kernel's IP sends: with packet sockets
// it sees next to nothing of the relayed packets, by default each, and everybody receives the same. What
// AF_XDP sockets send even a program that listens at the interface (packet(7)) does not see.

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "io/loop/clock.h"
#include "io/loop/fd.h"

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
constexpr std::chrono::seconds kPatience{20};

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
    auto relay = start(choice, true);
    relay_packets(*relay);
    networks_.enter_server();
    relay.reset();
    const std::uint64_t count = packets_counted();
    EXPECT_TRUE(io::run("nft delete table inet t"));
    return count;
  }
  std::unique_ptr<RunningRelay> start(PacketSocketChoice packet_sockets, bool xdp_sockets) {
    networks_.enter_server();
    RelaySettings settings;
    settings.listen_addresses = {test::kServerForClients4};
    settings.relay_addresses = {test::kServerForPeers4};
    settings.port = 0;
    settings.shards = 1;
    settings.fast_path = FastPathChoice::off;
    settings.packet_sockets = packet_sockets;
    settings.xdp_sockets = xdp_sockets;
    settings.allow_peers = {*Prefix::parse("198.51.100.9")};
    return std::make_unique<RunningRelay>(settings);
  }
  void relay_packets(RunningRelay& relay) {
    with_call(relay, [](TurnClient& client, UdpPeer& peer, const Address& relayed) {
      relay_packets(client, peer, relayed);
    });
  }
  template <typename Use>
  void with_call(RunningRelay& relay, Use use) {
    networks_.enter_clients();
    TurnClient client(relay.at(Family::ipv4), GetParam(), {"alice", "wonderland"},
                      Address{test::kClientHost4, 0});
    const auto allocated = client.allocate({});
    ASSERT_EQ(allocated.error, 0);
    networks_.enter_peers();
    UdpPeer peer(test::kPeerHost4);
    ASSERT_EQ(client.channel_bind(kChannel, peer.address()), 0);
    use(client, peer, allocated.relayed());
  }
  static void relay_packets(TurnClient& client, UdpPeer& peer, const Address& relayed) {
    for (std::uint64_t i = 0; i < kPackets; ++i) {
      const Buffer payload(100 + i, static_cast<std::uint8_t>(i));
      client.send_channel_data(kChannel, payload);
      const auto up = peer.receive();
      ASSERT_TRUE(up);
      EXPECT_EQ(up->payload, payload);
      EXPECT_EQ(up->from, relayed);
      peer.send(relayed, payload);
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

// Sees what leaves by an interface, but for what AF_XDP sockets send there.
class Listener {
 public:
  explicit Listener(const char* interface)
      : socket_(socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    const int bytes = 8 * 1024 * 1024;
    EXPECT_EQ(setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes), 0);
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  // Of IPv4, since it was last asked.
  std::uint64_t count() const {
    std::uint64_t seen = 0;
    for (;;) {
      sockaddr_ll from{};
      socklen_t length = sizeof from;
      std::uint8_t byte = 0;
      if (recvfrom(socket_.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &length) < 0) return seen;
      if (from.sll_pkttype == PACKET_OUTGOING && from.sll_protocol == htons(ETH_P_IP)) seen += 1;
    }
  }

 private:
  io::Fd socket_;
};

class XdpSockets : public PacketSockets {};

TEST_P(XdpSockets, SendIfTheyMay) {
  if (const std::string found = io::interface_queue_in_the_way(); !found.empty()) GTEST_SKIP() << found;
  const Listener listener("peers");
  for (const bool may : {false, true}) {
    const auto relay = start(PacketSocketChoice::automatic, may);
    relay_packets(*relay);
    const std::uint64_t seen = listener.count();
    EXPECT_EQ(seen < kPackets / 4, may) << seen;
    EXPECT_EQ(seen >= kPackets, !may) << seen;
  }
}

TEST_P(XdpSockets, LeaveItToOthersOnceAnInterfaceHasAQueue) {
  if (const std::string found = io::interface_queue_in_the_way(); !found.empty()) GTEST_SKIP() << found;
  const Listener listener("peers");
  const auto relay = start(PacketSocketChoice::automatic, true);
  ASSERT_TRUE(io::run("tc qdisc add dev peers root pfifo"));
  with_call(*relay, [&](TurnClient& client, UdpPeer& peer, const Address& relayed) {
    std::uint64_t seen = 0;
    for (const Instant until = io::read_now().monotonic + kPatience; seen < kPackets;
         seen = listener.count()) {
      ASSERT_LT(io::read_now().monotonic, until) << "it is seen a second later";
      relay_packets(client, peer, relayed);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Transports, XdpSockets, testing::Values(turn::Transport::udp, turn::Transport::tcp),
                         [](const auto& each) { return each.param == turn::Transport::udp ? "Udp" : "Tcp"; });

}  // namespace
}  // namespace offhook::relay
