// What calls tell the relay, through real sockets: introductions, and the hop between two of its clients.

#include <deque>
#include <numeric>

#include "relay_fixture.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;
using turn::Transport;

RelaySettings by_call() {
  RelaySettings settings = loopback_settings();
  settings.peers_by_call = true;
  return settings;
}

TEST(Introductions, AreInEffectForTheNextRequestInWhateverShard) {
  RelaySettings settings = by_call();
  settings.shards = 4;
  RunningRelay relay(settings);
  UdpPeer peer(kLoopback4);
  // Kept, for a client that gets the port of an earlier one has that one's allocation.
  std::deque<TurnClient> clients;
  for (int i = 0; i < 200; ++i) {
    const std::string call = "call " + std::to_string(i);
    const std::string user = "user " + std::to_string(i);
    const Transport transport = i % 4 == 0 ? Transport::tcp : Transport::udp;
    TurnClient& client = clients.emplace_back(relay.at(), transport, minted(user));
    ASSERT_EQ(client.allocate().error, 0);
    ASSERT_EQ(client.create_permission({peer.address()}), 403);
    relay.service().introduce(user, call, peer.address());
    ASSERT_EQ(client.create_permission({peer.address()}), 0) << "introduced before it was asked for";
    relay.service().part(call);
    ASSERT_EQ(client.create_permission({peer.address()}), 403);
  }
}

TEST(Introductions, LetTheOtherPartyInBeforeAnyRequest) {
  RunningRelay relay;
  TurnClient client(relay.at(), Transport::udp, minted("bob"));
  const Address relayed = client.allocate().relayed();
  UdpPeer peer(kLoopback4);
  relay.service().introduce("bob", "call", peer.address());
  // Whichever shard it is has heard of the call when it answers.
  ASSERT_TRUE(client.binding().has_value());
  peer.send(relayed, bytes_of("in time"));
  const auto received = client.receive();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->peer_address, peer.address());
  EXPECT_EQ(received->payload, bytes_of("in time"));
}

TEST(Introductions, BeyondTheLimitAreRefusedAndCounted) {
  RelaySettings settings = loopback_settings();
  settings.shards = 1;
  RunningRelay relay(settings);
  for (std::uint32_t i = 0; i < 40; ++i) {
    relay.service().introduce("bob", "call", {Ip::v4(0x08080800U + i), 5000});
  }
  TurnClient client(relay.at(), Transport::udp, minted("bob"));
  ASSERT_EQ(client.allocate().error, 0);
  EXPECT_EQ(relay.count(Counter::refused_introductions), 8U);
}

TEST(PolicyOfCalls, StillPassesTheSelfCheck) {
  RelaySettings settings = by_call();
  settings.allow_peers.clear();
  RunningRelay relay(settings);
  for (int i = 0; i < 3; ++i) {
    const auto checked = relay.service().self_check(std::chrono::seconds(5));
    EXPECT_TRUE(checked) << (checked ? "" : checked.error());
  }
}

// Clients, the sequence of whose packets is checked.
struct Party {
  Party(const RunningRelay& relay, Transport transport, std::string_view user, Family family = Family::ipv4)
      : client(relay.at(family), transport, minted(user)),
        relayed(client.allocate({.family = Family::ipv4}).relayed()) {}
  bool bind(const Party& other) { return client.channel_bind(0x4001, other.relayed) == 0; }

  TurnClient client;
  Address relayed;
};

Buffer numbered(std::uint32_t number) {
  Buffer payload(100);
  std::iota(payload.begin(), payload.end(), static_cast<std::uint8_t>(number * 7));
  Writer(payload).u32(number);
  return payload;
}

// `count` packets each way, at most a window of them under way. Says how many came whole, once and in order.
std::size_t exchange(Party& one, Party& other, std::uint32_t count) {
  constexpr std::uint32_t kWindow = 32;
  std::size_t good = 0;
  for (std::uint32_t first = 0; first < count; first += kWindow) {
    for (std::uint32_t i = first; i < std::min(first + kWindow, count); ++i) {
      one.client.send_channel_data(0x4001, numbered(i));
      other.client.send_channel_data(0x4001, numbered(i));
    }
    for (std::uint32_t i = first; i < std::min(first + kWindow, count); ++i) {
      for (Party* party : {&one, &other}) {
        const auto received = party->client.receive();
        if (!received) return good;
        if (received->channel_number == 0x4001 && received->payload == numbered(i)) good += 1;
      }
    }
  }
  return good;
}

// Pairs whose hops differ: the kernel deals clients out to shards, so of many pairs some are of two.
class Hops : public testing::TestWithParam<std::pair<Transport, Transport>> {};
INSTANTIATE_TEST_SUITE_P(Transports, Hops,
                         testing::Values(std::pair(Transport::udp, Transport::udp),
                                         std::pair(Transport::udp, Transport::tcp),
                                         std::pair(Transport::tcp, Transport::tcp)));

TEST_P(Hops, CarryEveryPacketOnceWhole) {
  RelaySettings settings = loopback_settings();
  settings.allow_peers.clear();
  RunningRelay relay(settings);
  constexpr int kPairs = 8;
  constexpr std::uint32_t kPackets = 200;
  for (int i = 0; i < kPairs; ++i) {
    Party one(relay, GetParam().first, "one");
    Party other(relay, GetParam().second, "other");
    ASSERT_TRUE(one.bind(other));
    ASSERT_TRUE(other.bind(one));
    // The shards have heard of the hops: at the change to one, packets may overtake others.
    ASSERT_TRUE(one.client.binding().has_value());
    ASSERT_TRUE(other.client.binding().has_value());
    ASSERT_EQ(exchange(one, other, kPackets), 2 * kPackets);
    // A later client may get the port of one that is gone, whose allocation would be in its way (437).
    for (Party* party : {&one, &other}) ASSERT_EQ(party->client.refresh(std::chrono::seconds(0)), 0);
  }
}

// Ports are dealt out in pairs: a relayed address tells its shard.
unsigned shard_of(const Address& relayed, unsigned shards) { return (relayed.port / 2) % shards; }

TEST(Hop, BetweenTwoShardsLosesDuplicatesAndChangesNothing) {
  RelaySettings settings = loopback_settings();
  settings.allow_peers.clear();
  RunningRelay relay(settings);
  constexpr std::uint32_t kPackets = 10'000;
  Party one(relay, Transport::udp, "one");
  std::vector<std::unique_ptr<Party>> others;
  do {
    others.push_back(std::make_unique<Party>(relay, Transport::udp, "other"));
    ASSERT_LT(others.size(), 64U) << "all clients in one shard";
  } while (shard_of(others.back()->relayed, 2) == shard_of(one.relayed, 2));
  Party& other = *others.back();
  ASSERT_TRUE(one.bind(other));
  ASSERT_TRUE(other.bind(one));
  // The last order to a shard is carried out before it takes what comes now.
  ASSERT_TRUE(one.client.binding().has_value());
  ASSERT_TRUE(other.client.binding().has_value());
  const std::uint64_t sockets_before = relay.count(Counter::packets_from_peers);
  ASSERT_EQ(exchange(one, other, kPackets), 2 * kPackets);
  EXPECT_FALSE(one.client.receive(std::chrono::milliseconds(0)).has_value()) << "nothing twice";
  EXPECT_FALSE(other.client.receive(std::chrono::milliseconds(0)).has_value());
  EXPECT_EQ(relay.count(Counter::packets_hopped), 2 * kPackets);
  EXPECT_EQ(relay.count(Counter::packets_from_peers), sockets_before) << "no relay socket had any";

  // Cut in the middle: what is sent once both shards know reaches nobody.
  ASSERT_TRUE(relay.service().revoke("other"));
  ASSERT_TRUE(one.client.binding().has_value());
  int answer = 0;
  for (int i = 0; i < 10'000 && answer == 0; ++i) answer = other.client.refresh(std::chrono::seconds(600));
  ASSERT_EQ(answer, 437);
  for (std::uint32_t i = 0; i < 100; ++i) {
    one.client.send_channel_data(0x4001, numbered(i));
    other.client.send_channel_data(0x4001, numbered(i));
  }
  ASSERT_TRUE(one.client.binding().has_value());
  ASSERT_TRUE(other.client.binding().has_value());
  EXPECT_FALSE(one.client.receive(std::chrono::milliseconds(0)).has_value());
  EXPECT_FALSE(other.client.receive(std::chrono::milliseconds(0)).has_value());
  EXPECT_EQ(relay.count(Counter::packets_hopped), 2 * kPackets);
}

// Shards have descriptor tables of their own: a letter to another shard must not end up in a client's stream.
TEST(Hop, AcrossShardsLeavesStreamsAlone) {
  RelaySettings settings = loopback_settings();
  settings.shards = 4;
  RunningRelay relay(settings);
  std::deque<TurnClient> streams;
  for (int i = 0; i < 32; ++i) {
    streams.emplace_back(relay.at(), Transport::tcp, minted("stream " + std::to_string(i)));
    ASSERT_EQ(streams.back().allocate().error, 0);
  }
  std::deque<Party> parties;
  for (int i = 0; i < 24; ++i) {
    parties.emplace_back(relay, Transport::udp, "party " + std::to_string(i));
    if (i == 0) continue;
    ASSERT_TRUE(parties[static_cast<std::size_t>(i)].bind(parties[static_cast<std::size_t>(i) - 1]));
  }
  for (TurnClient& stream : streams) EXPECT_EQ(stream.refresh(std::chrono::seconds(600)), 0);
}

TEST(Hop, ServesAStreamClientOfTheSameShard) {
  RelaySettings settings = loopback_settings();
  settings.shards = 1;
  RunningRelay relay(settings);
  Party one(relay, Transport::udp, "one");
  Party other(relay, Transport::tcp, "other");
  ASSERT_TRUE(one.bind(other));
  ASSERT_TRUE(other.bind(one));
  ASSERT_EQ(exchange(one, other, 500), 1000U);
  EXPECT_EQ(relay.count(Counter::packets_hopped), 1000U);
}

TEST(Hop, ServesAClientOfTheOtherFamily) {
  RelaySettings settings = loopback_settings();
  settings.shards = 1;
  RunningRelay relay(settings);
  Party one(relay, Transport::udp, "one");
  Party other(relay, Transport::udp, "other", Family::ipv6);
  ASSERT_TRUE(one.bind(other));
  ASSERT_TRUE(other.bind(one));
  ASSERT_EQ(exchange(one, other, 500), 1000U);
  EXPECT_EQ(relay.count(Counter::packets_hopped), 1000U);
}

TEST(Hop, IsNoneWhereItIsSwitchedOff) {
  RelaySettings settings = loopback_settings();
  settings.hops = false;
  RunningRelay relay(settings);
  Party one(relay, Transport::udp, "one");
  Party other(relay, Transport::udp, "other");
  ASSERT_TRUE(one.bind(other));
  ASSERT_TRUE(other.bind(one));
  ASSERT_EQ(exchange(one, other, 500), 1000U);
  EXPECT_EQ(relay.count(Counter::packets_hopped), 0U);
}

TEST(RelayService, ARelayedAddressIsOneAsItsClientKnowsItAndWhileItLives) {
  RelaySettings settings = loopback_settings();
  const Ip external = *Ip::parse("203.0.113.7");
  settings.external_addresses = {{kLoopback4, external}};
  RunningRelay relay(settings);
  TurnClient client(relay.at(), Transport::udp, minted("one"));
  const Address relayed = client.allocate().relayed();
  ASSERT_EQ(relayed.ip, external);
  const RelayService& service = relay.service();
  EXPECT_TRUE(service.is_relayed_address(relayed));
  EXPECT_FALSE(service.is_relayed_address({kLoopback4, relayed.port})) << "not what its client knows";
  EXPECT_FALSE(service.is_relayed_address({*Ip::parse("203.0.113.8"), relayed.port}));
  EXPECT_FALSE(service.is_relayed_address({external, static_cast<std::uint16_t>(relayed.port ^ 1U)}));
  EXPECT_FALSE(service.is_relayed_address({external, 3478}));
  ASSERT_EQ(client.refresh(std::chrono::seconds(0)), 0);
  ASSERT_TRUE(client.binding().has_value());  // taken after the relay has gone
  EXPECT_FALSE(service.is_relayed_address(relayed));
  TurnClient unmapped(relay.at(Family::ipv6), Transport::udp, minted("two"));
  EXPECT_TRUE(service.is_relayed_address(unmapped.allocate({.family = Family::ipv6}).relayed()));
}

}  // namespace
}  // namespace offhook::relay
