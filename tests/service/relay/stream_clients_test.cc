// Clients over TCP, told of once: what stands in the socket when nothing comes any more.

#include <sys/socket.h>

#include <memory>
#include <vector>

#include "relay_fixture.h"
#include "service/relay/client_connections.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;
using turn::Transport;

// More than a shard takes of one connection in a row, and nothing after it that would wake the shard again.
TEST(StreamClients, ManyMessagesAtOnceAreServedToTheLast) {
  RunningRelay relay;
  UdpPeer crowded(kLoopback4);
  UdpPeer peer(kLoopback4);
  TurnClient client(relay.at(), Transport::tcp, minted("bob"));
  ASSERT_EQ(client.allocate({}).error, 0);
  ASSERT_EQ(client.channel_bind(0x4001, crowded.address()), 0);
  ASSERT_EQ(client.channel_bind(0x4002, peer.address()), 0);
  Buffer together;
  const auto add = [&together](std::uint16_t channel, std::size_t size) {
    const std::size_t at = together.size();
    together.resize(at + turn::kChannelDataHeaderBytes + size);
    turn::write_channel_data_header(MutableBytes(together).subspan(at), channel,
                                    static_cast<std::uint16_t>(size));
  };
  for (int i = 0; i < 20; ++i) add(0x4001, 12'000);
  add(0x4002, 4);
  for (int i = 0; i < 30; ++i) {
    client.send_bytes(together);
    ASSERT_TRUE(peer.receive().has_value()) << i;
  }
}

TEST(StreamClients, AnEndThatStandsBehindDataIsHeard) {
  RunningRelay relay;
  UdpPeer peer(kLoopback4);
  for (int i = 0; i < 30; ++i) {
    TurnClient client(relay.at(), Transport::tcp, minted("bob"));
    ASSERT_EQ(client.allocate({}).error, 0);
    ASSERT_EQ(client.channel_bind(0x4001, peer.address()), 0);
    client.send_channel_data(0x4001, bytes_of("last"));
    ASSERT_EQ(::shutdown(client.socket().get(), SHUT_WR), 0);
    ASSERT_TRUE(peer.receive().has_value()) << i;
    ASSERT_TRUE(client.await_closed()) << i;
  }
}

// More of them than a round sends to, and nothing after it that would wake the shard again.
TEST(StreamClients, AsManyAsAreWrittenToAtOnceAreServedToTheLast) {
  RunningRelay relay;
  UdpPeer peer(kLoopback4);
  std::vector<std::unique_ptr<TurnClient>> clients;
  std::vector<Address> relayed;
  for (std::size_t i = 0; i < 3 * kFlushesARound; ++i) {
    clients.push_back(std::make_unique<TurnClient>(relay.at(), Transport::tcp, minted("bob")));
    const auto allocated = clients.back()->allocate({});
    ASSERT_EQ(allocated.error, 0);
    relayed.push_back(allocated.relayed());
    ASSERT_EQ(clients.back()->channel_bind(0x4001, peer.address()), 0);
  }
  for (int i = 0; i < 20; ++i) {
    for (const Address& to : relayed) peer.send(to, bytes_of("at once"));
    for (const auto& client : clients) ASSERT_TRUE(client->receive().has_value()) << i;
  }
}

}  // namespace
}  // namespace offhook::relay
