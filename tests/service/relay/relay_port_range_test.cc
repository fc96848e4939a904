#include <deque>

#include "relay_fixture.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using turn::Transport;

TEST(RelayPortRange, BackwardsOrBelowTheUserPortsStopsTheStart) {
  for (const auto& [first, last] :
       std::vector<std::pair<std::uint16_t, std::uint16_t>>{{60000, 50000}, {0, 65535}, {1023, 65535}}) {
    RelaySettings settings = loopback_settings();
    settings.relay_port_first = first;
    settings.relay_port_last = last;
    RelayService service(settings, credentials_with({"x"}));
    const auto started = service.start();
    ASSERT_FALSE(started) << first;
    EXPECT_NE(started.error().message.find("the first must be at least 1024"), std::string::npos)
        << started.error().message;
  }
}

TEST(RelayPortRange, NoShardIsWithoutPorts) {
  RelaySettings settings = loopback_settings();
  settings.shards = 8;
  settings.relay_addresses = {*Ip::parse("127.0.0.9")};
  settings.relay_port_first = 50040;
  settings.relay_port_last = 50041;
  RunningRelay relay(settings);
  // Each from another port, and so to whatever shards there are.
  std::deque<TurnClient> clients;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back(relay.at(), Transport::udp, minted("bob"));
    EXPECT_EQ(clients.back().allocate().error, 0) << i;
    EXPECT_EQ(clients.back().refresh(std::chrono::seconds(0)), 0) << i;
  }
}

TEST(RelayPeers, AreNeverTheRelaysOwnListenersEvenWhereTheirAddressIsAllowed) {
  RelaySettings settings = loopback_settings();
  settings.allow_peers = {*Prefix::parse("127.0.0.1")};
  RunningRelay relay(settings);
  TurnClient client(relay.at(), Transport::udp, minted("bob"));
  ASSERT_EQ(client.allocate().error, 0);
  const test::UdpPeer peer(kLoopback4);
  EXPECT_EQ(client.channel_bind(0x4001, peer.address()), 0);
  EXPECT_EQ(client.channel_bind(0x4002, relay.at()), 403);
}

}  // namespace
}  // namespace offhook::relay
