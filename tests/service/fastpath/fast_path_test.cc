// The same TURN sessions with the fast path and without, over real networks: everybody receives the same
// packets from the same addresses, in the same order.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "io/fastpath/fast_path.h"
#include "service/relay/relay_fixture.h"
#include "three_networks.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;

constexpr Family k4 = Family::ipv4;
constexpr Family k6 = Family::ipv6;
constexpr std::uint16_t kChannel = 0x4001;
// Across what changes something: empty, odd, below the least of Ethernet, the largest that MTUs of 1,500
// pass.
constexpr std::size_t kSizes[] = {1, 3, 4, 17, 172, 1100, 1400};

RelaySettings settings_with(FastPathChoice choice) {
  RelaySettings settings;
  settings.listen_addresses = {test::kServerForClients4, test::kServerForClients6};
  settings.relay_addresses = {test::kServerForPeers4, test::kServerForPeers6};
  settings.port = 0;
  settings.shards = 2;
  settings.fast_path = choice;
  settings.allow_peers = {*Prefix::parse("198.51.100.9"), *Prefix::parse("2001:db8:2::9")};
  return settings;
}

Buffer patterned(std::size_t size, std::size_t seed) {
  Buffer buffer(size);
  for (std::size_t i = 0; i < size; ++i) buffer[i] = static_cast<std::uint8_t>(seed * 7 + i * 31);
  return buffer;
}

// One relay, and what its clients and peers saw.
class Session {
 public:
  Session(const test::ThreeNetworks& networks, FastPathChoice choice, std::uint64_t payload_bytes_per_s = 0)
      : networks_(networks) {
    networks_.enter_server();
    RelaySettings settings = settings_with(choice);
    settings.payload_bytes_per_s = payload_bytes_per_s;
    relay_ = std::make_unique<RunningRelay>(settings);
  }
  ~Session() {
    networks_.enter_server();
    relay_.reset();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  std::unique_ptr<TurnClient> client(Family family, Family relayed, Address& relayed_address) {
    networks_.enter_clients();
    const Ip own = family == k4 ? test::kClientHost4 : test::kClientHost6;
    auto client = std::make_unique<TurnClient>(relay_->at(family), turn::Transport::udp,
                                               TurnClient::Login{"alice", "wonderland"}, Address{own, 0});
    TurnClient::AllocateOptions options;
    options.family = relayed;
    const auto allocated = client->allocate(options);
    EXPECT_EQ(allocated.error, 0);
    relayed_address = allocated.relayed();
    return client;
  }
  UdpPeer peer(Family family) {
    networks_.enter_peers();
    return UdpPeer(family == k4 ? test::kPeerHost4 : test::kPeerHost6);
  }

  // At the peer; `from` should be the relayed address.
  void note(const std::string& who, std::optional<UdpPeer::Datagram> got, const Address& from) {
    if (!got) return transcript_.push_back(who + ": nothing");
    transcript_.push_back(who + (got->from == from ? " from the relayed address: " : " from elsewhere: ") +
                          to_string(got->payload));
  }
  void note(const std::string& who, const std::optional<TurnClient::Media>& got) {
    if (!got) return transcript_.push_back(who + ": nothing");
    transcript_.push_back(who + ", channel " + std::to_string(got->channel_number) + ": " +
                          to_string(got->payload));
  }
  std::uint64_t routed() const { return relay_->count(Counter::packets_routed); }
  std::uint64_t count(Counter counter) const { return relay_->count(counter); }
  RelayService& service() { return relay_->service(); }
  const std::vector<std::string>& transcript() const { return transcript_; }

 private:
  const test::ThreeNetworks& networks_;
  std::unique_ptr<RunningRelay> relay_;
  std::vector<std::string> transcript_;
};

void exchange(Session& session, TurnClient& client, UdpPeer& peer, const Address& relayed) {
  std::size_t seed = 0;
  for (const std::size_t size : kSizes) {
    const Buffer up = patterned(size, ++seed);
    client.send_channel_data(kChannel, up);
    session.note("peer", peer.receive(), relayed);
    const Buffer down = patterned(size, ++seed);
    peer.send(relayed, down);
    session.note("client", client.receive());
  }
}

// A client and a peer of all families. What the program must leave to the sockets goes the same way.
void client_and_peer(Session& session, std::uint64_t& expected_routed) {
  for (const Family family : {k4, k6}) {
    for (const Family relayed_family : {k4, k6}) {
      Address relayed;
      auto client = session.client(family, relayed_family, relayed);
      UdpPeer peer = session.peer(relayed_family);
      ASSERT_EQ(client->channel_bind(kChannel, peer.address()), 0);
      // The first packets find the neighbours.
      client->send_channel_data(kChannel, patterned(5, 1));
      session.note("peer", peer.receive(), relayed);
      peer.send(relayed, patterned(5, 2));
      session.note("client", client->receive());
      const std::uint64_t before = session.routed();
      exchange(session, *client, peer, relayed);
      expected_routed = 2 * std::size(kSizes);
      EXPECT_TRUE(session.routed() == before || session.routed() - before == expected_routed)
          << session.routed() - before;
      // Too large for a link: fragments, both ways.
      client->send_channel_data(kChannel, patterned(3000, 3));
      session.note("peer", peer.receive(), relayed);
      peer.send(relayed, patterned(3000, 4));
      session.note("client", client->receive());
      ASSERT_EQ(client->channel_bind(kChannel, peer.address()), 0) << "refresh";
      exchange(session, *client, peer, relayed);
      ASSERT_EQ(client->refresh(std::chrono::seconds(0)), 0);
    }
  }
}

// Two clients with a channel to each other.
void client_and_client(Session& session) {
  for (const Family first_family : {k4, k6}) {
    for (const Family second_family : {k4, k6}) {
      for (const Family relayed_family : {k4, k6}) {
        Address first_relayed;
        Address second_relayed;
        auto first = session.client(first_family, relayed_family, first_relayed);
        auto second = session.client(second_family, relayed_family, second_relayed);
        ASSERT_EQ(first->channel_bind(kChannel, second_relayed), 0);
        // Not bound back yet: permitted alone.
        ASSERT_EQ(second->create_permission({first_relayed}), 0);
        first->send_channel_data(kChannel, patterned(9, 1));
        session.note("second", second->receive());
        ASSERT_EQ(second->channel_bind(kChannel + 1, first_relayed), 0);
        for (const std::size_t size : kSizes) {
          first->send_channel_data(kChannel, patterned(size, size));
          session.note("second", second->receive());
          second->send_channel_data(kChannel + 1, patterned(size, size + 1));
          session.note("first", first->receive());
        }
        // A later client may get the port of one that is gone, whose allocation would be in its way (437).
        for (const auto& client : {first.get(), second.get()})
          ASSERT_EQ(client->refresh(std::chrono::seconds(0)), 0);
      }
    }
  }
}

// How much of what is far too much arrives.
struct Arrived {
  std::size_t at_peer = 0;
  std::size_t at_client = 0;
};
Arrived flood(Session& session) {
  constexpr std::size_t kPackets = 60;
  // What has not come by then does not come.
  constexpr std::chrono::milliseconds kEnd{1000};
  Address relayed;
  auto client = session.client(k4, k4, relayed);
  UdpPeer peer = session.peer(k4);
  EXPECT_EQ(client->channel_bind(kChannel, peer.address()), 0);
  // The first packets find the neighbours, through the sockets.
  client->send_channel_data(kChannel, patterned(1, 1));
  EXPECT_TRUE(peer.receive().has_value());
  peer.send(relayed, patterned(1, 2));
  EXPECT_TRUE(client->receive().has_value());
  for (std::size_t i = 0; i < kPackets; ++i) {
    client->send_channel_data(kChannel, patterned(1000, i));
    peer.send(relayed, patterned(1000, i));
  }
  Arrived arrived;
  while (peer.receive(kEnd)) arrived.at_peer += 1;
  while (client->receive(kEnd)) arrived.at_client += 1;
  return arrived;
}

class FastPathSessions : public testing::TestWithParam<FastPathChoice> {
 protected:
  void SetUp() override {
    if (!networks_.ready()) GTEST_SKIP() << "no networks of its own (root, iproute2 and ethtool are needed)";
    networks_.enter_server();
    const auto mode = GetParam() == FastPathChoice::tc ? io::FastPathMode::tc : io::FastPathMode::xdp;
    const auto started = io::FastPath::start({mode, {test::kServerForClients4}, 1, 1024, 1025, 1});
    if (!started) GTEST_SKIP() << started.error();
  }
  test::ThreeNetworks networks_;
};

TEST_P(FastPathSessions, ClientAndPeerSeeTheSameWithAndWithout) {
  Session with(networks_, GetParam());
  Session without(networks_, FastPathChoice::off);
  std::uint64_t expected = 0;
  client_and_peer(with, expected);
  EXPECT_GE(with.routed(), 4 * 2 * expected);
  client_and_peer(without, expected);
  EXPECT_EQ(without.routed(), 0U);
  EXPECT_EQ(with.transcript(), without.transcript());
  EXPECT_EQ(std::ranges::count_if(with.transcript(),
                                  [](const std::string& line) {
                                    return line.ends_with(": nothing") ||
                                           line.find("elsewhere") != std::string::npos;
                                  }),
            0);
  // The same is counted, whichever way it went.
  for (const Counter counter : {Counter::packets_to_peers, Counter::bytes_to_peers,
                                Counter::packets_from_peers, Counter::bytes_from_peers}) {
    EXPECT_EQ(with.count(counter), without.count(counter)) << name(counter);
  }
}

TEST_P(FastPathSessions, MoreThanAnAllocationMayRelayIsDroppedWithAndWithout) {
  // 16 KiB at once, and one packet in half a second.
  for (const FastPathChoice choice : {GetParam(), FastPathChoice::off}) {
    Session session(networks_, choice, 2000);
    const Arrived arrived = flood(session);
    for (const std::size_t count : {arrived.at_peer, arrived.at_client}) {
      EXPECT_GE(count, 17U);
      EXPECT_LE(count, 30U) << "a packet more for each half second that this takes";
    }
    EXPECT_EQ(session.count(Counter::dropped_over_limit) > 0, choice == FastPathChoice::off);
  }
}

TEST_P(FastPathSessions, ClientAndClientSeeTheSameWithAndWithout) {
  Session with(networks_, GetParam());
  Session without(networks_, FastPathChoice::off);
  client_and_client(with);
  EXPECT_GE(with.routed(), 8 * 2 * 2 * (std::size(kSizes) - 1));
  client_and_client(without);
  EXPECT_EQ(without.routed(), 0U);
  EXPECT_EQ(with.transcript(), without.transcript());
  EXPECT_EQ(std::ranges::count_if(with.transcript(),
                                  [](const std::string& line) { return line.ends_with(": nothing"); }),
            0);
}

// Whatever ends a channel ends its route. A second client's packet, sent later, tells that the first's is not
// on its way any more.
TEST_P(FastPathSessions, NothingPassesAfterTheEnd) {
  Session session(networks_, GetParam());
  for (const bool by_revocation : {false, true}) {
    Address relayed;
    Address marker_relayed;
    auto client = session.client(k4, k4, relayed);
    UdpPeer peer = session.peer(k4);
    ASSERT_EQ(client->channel_bind(kChannel, peer.address()), 0);
    for (int i = 0; i < 3; ++i) {
      client->send_channel_data(kChannel, patterned(50, 1));
      ASSERT_TRUE(peer.receive());
    }
    ASSERT_GT(session.routed(), 0U);
    if (by_revocation) {
      ASSERT_TRUE(session.service().revoke("alice"));
      const Instant until = io::read_now().monotonic + test::kPatience;
      while (session.count(Counter::allocations_live) != 0 && io::read_now().monotonic < until) {
      }
    } else {
      ASSERT_EQ(client->refresh(std::chrono::seconds(0)), 0);
    }
    const std::uint64_t before = session.routed();
    client->send_channel_data(kChannel, patterned(50, 2));
    peer.send(relayed, patterned(50, 3));
    auto marker = session.client(k4, k4, marker_relayed);
    ASSERT_EQ(marker->channel_bind(kChannel, peer.address()), 0);
    marker->send_channel_data(kChannel, patterned(50, 4));
    const auto first = peer.receive();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->payload, patterned(50, 4));
    EXPECT_LE(session.routed() - before, 1U);  // the marker
    ASSERT_EQ(marker->refresh(std::chrono::seconds(0)), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Hooks, FastPathSessions, testing::Values(FastPathChoice::xdp, FastPathChoice::tc),
                         [](const auto& hook) { return hook.param == FastPathChoice::xdp ? "Xdp" : "Tc"; });

// A machine that cannot have it relays all the same.
TEST(FastPathMissing, TheRelayServesThroughSockets) {
  RelaySettings settings = loopback_settings();
  settings.fast_path = FastPathChoice::xdp;
  RunningRelay relay(std::move(settings));
  TurnClient client(relay.at(), turn::Transport::udp, {"alice", "wonderland"});
  const auto allocated = client.allocate();
  UdpPeer peer(kLoopback4);
  ASSERT_EQ(client.channel_bind(kChannel, peer.address()), 0);
  client.send_channel_data(kChannel, bytes_of("through sockets"));
  const auto got = peer.receive();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->from, allocated.relayed());
  EXPECT_EQ(relay.count(Counter::packets_routed), 0U);
}

}  // namespace
}  // namespace offhook::relay
