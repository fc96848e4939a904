// With one receive socket a shard: what is a live relayed address comes there, and nothing else.

#include "service/relay/shared_receive.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "crypto/secure_random.h"
#include "io/net/own_network.h"
#include "service/relay/relay_fixture.h"
#include "service/relay/relay_ports.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;

constexpr int kPatienceMs = 5000;

class SharedReceiveTest : public io::OwnNetworkTest {
 protected:
  void SetUp() override {
    io::OwnNetworkTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(io::run("ip link set lo up"));
    settings_.shards = 1;
    settings_.fast_path = FastPathChoice::off;
    receive_ = SharedReceive::start(settings_, {kLoopback4, kLoopback6}, 1);
    if (!receive_) GTEST_SKIP() << "the kernel looks no sockets up by programs here";
  }
  static bool comes_to(const io::Socket& socket) {
    pollfd wanted{socket.get(), POLLIN, 0};
    return poll(&wanted, 1, kPatienceMs) == 1;
  }

  RelaySettings settings_ = loopback_settings();
  std::unique_ptr<SharedReceive> receive_;
};

TEST_F(SharedReceiveTest, ARelayedAddressIsReceivedThereWhileItIsLive) {
  crypto::SecureRandom random;
  for (const std::size_t index : {0U, 1U}) {
    RelayPorts ports({kLoopback4, kLoopback6}, settings_.relay_port_first, settings_.relay_port_last, 1);
    ports.set_lookup(receive_->lookup());
    auto lease = ports.take(index, 0, RelayPorts::Parity::any, random);
    ASSERT_TRUE(lease);
    const Address relayed = lease->address();
    const io::Socket own = *io::open_relay_socket(relayed);
    UdpPeer peer(relayed.ip);
    peer.send(relayed, bytes_of("early"));
    EXPECT_TRUE(comes_to(own));
    lease->publish({0, {{1, 1}, relayed.family()}});
    peer.send(relayed, bytes_of("live"));
    EXPECT_TRUE(comes_to(receive_->of(0, relayed.family()).datagrams));
    Buffer taken(16);
    EXPECT_EQ(recv(own.get(), taken.data(), taken.size(), MSG_DONTWAIT), 5) << "the early one";
    lease->unpublish();
    peer.send(relayed, bytes_of("late"));
    EXPECT_TRUE(comes_to(own));
  }
}

// What a client is told of a packet must not depend on which socket received it, a flood among them.
TEST_F(SharedReceiveTest, AFloodReachesItsClientInOrder) {
  receive_.reset();
  for (const bool socket_lookup : {true, false}) {
    settings_.socket_lookup = socket_lookup;
    RunningRelay relay(settings_);
    TurnClient client(relay.at(Family::ipv4), turn::Transport::udp, minted("bob"));
    const Address relayed = client.allocate({}).relayed();
    UdpPeer peer(kLoopback4);
    ASSERT_EQ(client.channel_bind(0x4001, peer.address()), 0);
    // A few at a time, so that none is lost in the client's own queue; thousands within a tick of the lookup.
    unsigned next = 0;
    for (unsigned sent = 0; sent < 20'000; ++sent) {
      peer.send(relayed, Buffer{static_cast<std::uint8_t>(sent), static_cast<std::uint8_t>(sent >> 8U)});
      if (sent % 50 != 49) continue;
      for (; next <= sent; ++next) {
        const auto back = client.receive();
        ASSERT_TRUE(back) << next;
        ASSERT_EQ(back->payload,
                  (Buffer{static_cast<std::uint8_t>(next), static_cast<std::uint8_t>(next >> 8U)}));
      }
    }
    EXPECT_EQ(relay.count(Counter::packets_from_peers), 20'000U);
  }
}

}  // namespace
}  // namespace offhook::relay
