#include "service/relay/relay_service.h"

#include <deque>

#include "relay_fixture.h"

namespace offhook::relay {
namespace {

using std::chrono::seconds;
using test::TurnClient;
using test::UdpPeer;
using turn::Transport;

// A shard counts an event after it has answered, and before it takes the next packet of the same client.
std::uint64_t count_after(TurnClient& client, const RunningRelay& relay, Counter counter) {
  EXPECT_TRUE(client.binding().has_value());
  return relay.count(counter);
}

struct Path {
  Transport transport;
  Family family;
};
void PrintTo(const Path& path, std::ostream* out) {
  *out << (path.transport == Transport::udp ? "udp" : "tcp") << (path.family == Family::ipv4 ? "4" : "6");
}
class EachPath : public testing::TestWithParam<Path> {
 protected:
  TurnClient client(const RunningRelay& relay, std::string_view user = "bob") {
    return TurnClient(relay.at(GetParam().family), GetParam().transport, minted(user));
  }
  Ip own_ip() const { return GetParam().family == Family::ipv4 ? kLoopback4 : kLoopback6; }
  TurnClient::AllocateOptions own_family() const { return {.family = GetParam().family}; }
};
INSTANTIATE_TEST_SUITE_P(Paths, EachPath,
                         testing::Values(Path{Transport::udp, Family::ipv4},
                                         Path{Transport::udp, Family::ipv6},
                                         Path{Transport::tcp, Family::ipv4},
                                         Path{Transport::tcp, Family::ipv6}));

TEST_P(EachPath, BindingTellsTheClientsAddress) {
  RunningRelay relay;
  TurnClient client = this->client(relay);
  EXPECT_EQ(client.binding(), client.client_address());
}

TEST_P(EachPath, AllocateAnswersWithAPortOfTheRange) {
  RunningRelay relay;
  TurnClient client = this->client(relay);
  const auto allocated = client.allocate(own_family());
  ASSERT_EQ(allocated.error, 0);
  EXPECT_EQ(allocated.mapped_address, client.client_address());
  EXPECT_EQ(allocated.relayed().ip, own_ip());
  EXPECT_GE(allocated.relayed().port, 49152);
  EXPECT_EQ(count_after(client, relay, Counter::allocations_created), 1U);
}

// Through raw sockets and with one receive socket a shard, where the test may have them, and without.
TEST_P(EachPath, SendAndDataIndicationsCarryPayloadsOfAnySize) {
  for (const auto& [raw_sockets, socket_lookup] : {std::pair{true, true}, {false, true}, {true, false}}) {
    RelaySettings settings = loopback_settings();
    settings.raw_sockets = raw_sockets;
    settings.socket_lookup = socket_lookup;
    RunningRelay relay(settings);
    TurnClient client = this->client(relay);
    const Address relayed = client.allocate(own_family()).relayed();
    UdpPeer peer(own_ip());
    ASSERT_EQ(client.create_permission({peer.address()}), 0);
    for (const std::size_t size : {0U, 1U, 2U, 3U, 172U, 1232U, 1233U, 1400U, 1452U, 1453U, 9000U, 60000U}) {
      const Buffer payload(size, static_cast<std::uint8_t>(size % 251));
      client.send_indication(peer.address(), payload, size == 172);
      const auto at_peer = peer.receive();
      ASSERT_TRUE(at_peer.has_value()) << size;
      EXPECT_EQ(at_peer->from, relayed);
      EXPECT_EQ(at_peer->payload, payload);
      peer.send(relayed, payload);
      const auto back = client.receive();
      ASSERT_TRUE(back.has_value()) << size;
      EXPECT_EQ(back->peer_address, peer.address());
      EXPECT_EQ(back->payload, payload);
    }
  }
}

TEST_P(EachPath, ChannelsCarryPayloadsOfAnySizeBothWays) {
  RunningRelay relay;
  TurnClient client = this->client(relay);
  const Address relayed = client.allocate(own_family()).relayed();
  UdpPeer peer(own_ip());
  ASSERT_EQ(client.channel_bind(0x4001, peer.address()), 0);
  for (const std::size_t size : {0U, 1U, 2U, 3U, 172U, 1400U, 9000U, 60000U}) {
    const Buffer payload(size, static_cast<std::uint8_t>(size % 251));
    client.send_channel_data(0x4001, payload);
    const auto at_peer = peer.receive();
    ASSERT_TRUE(at_peer.has_value()) << size;
    EXPECT_EQ(at_peer->from, relayed);
    EXPECT_EQ(at_peer->payload, payload);
    peer.send(relayed, payload);
    const auto back = client.receive();
    ASSERT_TRUE(back.has_value()) << size;
    EXPECT_EQ(back->channel_number, 0x4001);
    EXPECT_EQ(back->payload, payload);
  }
}

TEST_P(EachPath, ABurstKeepsItsOrder) {
  RunningRelay relay;
  TurnClient client = this->client(relay);
  const Address relayed = client.allocate(own_family()).relayed();
  UdpPeer peer(own_ip());
  ASSERT_EQ(client.channel_bind(0x4001, peer.address()), 0);
  for (std::uint8_t i = 0; i < 100; ++i) client.send_channel_data(0x4001, Buffer{i});
  for (std::uint8_t i = 0; i < 100; ++i) {
    const auto at_peer = peer.receive();
    ASSERT_TRUE(at_peer.has_value());
    EXPECT_EQ(at_peer->payload, Buffer{i});
  }
  for (std::uint8_t i = 0; i < 100; ++i) peer.send(relayed, Buffer{i});
  for (std::uint8_t i = 0; i < 100; ++i) {
    const auto back = client.receive();
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->payload, Buffer{i});
  }
}

TEST_P(EachPath, TwoClientsMeetRelayToRelay) {
  RelaySettings settings = loopback_settings();
  settings.allow_peers.clear();  // relayed addresses need no permission of the operator
  RunningRelay relay(settings);
  TurnClient one = this->client(relay, "one");
  TurnClient other = this->client(relay, "other");
  const Address one_relayed = one.allocate(own_family()).relayed();
  const Address other_relayed = other.allocate(own_family()).relayed();
  ASSERT_EQ(one.create_permission({other_relayed}), 0);
  ASSERT_EQ(other.channel_bind(0x4001, one_relayed), 0);
  one.send_indication(other_relayed, bytes_of("ping"));
  const auto ping = other.receive();
  ASSERT_TRUE(ping.has_value());
  EXPECT_EQ(ping->channel_number, 0x4001);
  other.send_channel_data(0x4001, bytes_of("pong"));
  const auto pong = one.receive();
  ASSERT_TRUE(pong.has_value());
  EXPECT_EQ(pong->peer_address, other_relayed);
  EXPECT_EQ(pong->payload, bytes_of("pong"));
}

TEST_P(EachPath, RefreshToZeroFreesThePortAndTheQuota) {
  RelaySettings settings = loopback_settings();
  settings.user_quota = 1;
  RunningRelay relay(settings);
  TurnClient client = this->client(relay);
  const Address relayed = client.allocate(own_family()).relayed();
  TurnClient second = this->client(relay);
  EXPECT_EQ(second.allocate(own_family()).error, 486);
  EXPECT_EQ(client.refresh(seconds(0)), 0);
  EXPECT_EQ(count_after(client, relay, Counter::allocations_deleted), 1U);
  EXPECT_TRUE(io::open_relay_socket(relayed)) << "the port is still bound";
  EXPECT_EQ(second.allocate(own_family()).error, 0);
  EXPECT_EQ(count_after(second, relay, Counter::refused_quota), 1U);
}

TEST_P(EachPath, EvenPortReservesTheNextForWhoeverClaimsItInWhateverShard) {
  RelaySettings settings = loopback_settings();
  settings.shards = 4;
  RunningRelay relay(settings);
  // Kept, for a client that gets the port of an earlier one has that one's allocation.
  std::deque<TurnClient> clients;
  for (int i = 0; i < 12; ++i) {
    TurnClient& rtp = clients.emplace_back(this->client(relay));
    const auto even = rtp.allocate({.family = GetParam().family, .reserve_next = true});
    ASSERT_EQ(even.error, 0);
    EXPECT_EQ(even.relayed().port % 2, 0);
    ASSERT_TRUE(even.token.has_value());
    TurnClient& rtcp = clients.emplace_back(this->client(relay));
    const auto next = rtcp.allocate({.token = even.token});
    ASSERT_EQ(next.error, 0);
    EXPECT_EQ(next.relayed(),
              (Address{even.relayed().ip, static_cast<std::uint16_t>(even.relayed().port + 1)}));
    UdpPeer peer(own_ip());
    ASSERT_EQ(rtcp.create_permission({peer.address()}), 0);
    peer.send(next.relayed(), bytes_of("rtcp"));
    ASSERT_TRUE(rtcp.receive().has_value());
    TurnClient& late = clients.emplace_back(this->client(relay));
    EXPECT_EQ(late.allocate({.token = even.token}).error, 508);
  }
}

TEST_P(EachPath, OneAllocationServesBothFamilies) {
  RunningRelay relay;
  TurnClient client = this->client(relay);
  const auto allocated = client.allocate({.additional_ipv6 = true});
  ASSERT_EQ(allocated.error, 0);
  ASSERT_EQ(allocated.relayed_addresses.size(), 2U);
  for (const Address& relayed : allocated.relayed_addresses) {
    UdpPeer peer(relayed.ip);
    ASSERT_EQ(client.create_permission({peer.address()}), 0);
    client.send_indication(peer.address(), bytes_of("x"));
    const auto at_peer = peer.receive();
    ASSERT_TRUE(at_peer.has_value());
    EXPECT_EQ(at_peer->from, relayed);
    peer.send(relayed, bytes_of("y"));
    const auto back = client.receive();
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->peer_address, peer.address());
  }
}

TEST_P(EachPath, APeerThatIsNotAllowedReceivesNothing) {
  RelaySettings settings = loopback_settings();
  settings.allow_peers.clear();
  RunningRelay relay(settings);
  TurnClient client = this->client(relay);
  TurnClient other = this->client(relay);
  const Address relayed =
      client.allocate({.additional_ipv6 = true}).relayed_addresses[own_ip().is_v4() ? 0 : 1];
  const Address live = other.allocate(own_family()).relayed();
  UdpPeer canary(own_ip());
  EXPECT_EQ(client.create_permission({*Address::parse("127.0.0.5:5000")}), 403);
  EXPECT_EQ(client.create_permission({*Address::parse("10.0.0.1:5000")}), 403);
  EXPECT_EQ(client.channel_bind(0x4001, canary.address()), 403);
  // A permission for a relayed address names the same IP as the canary.
  EXPECT_EQ(client.create_permission({live}), 0);
  client.send_indication(canary.address(), bytes_of("x"));
  client.send_channel_data(0x4001, bytes_of("x"));
  canary.send(relayed, bytes_of("x"));
  // Answered after the packets before it were handled: packets of one client go through one shard in order.
  ASSERT_TRUE(client.binding().has_value());
  EXPECT_FALSE(canary.receive(std::chrono::milliseconds(0)).has_value());
  EXPECT_GE(count_after(client, relay, Counter::refused_peer), 3U);
}

TEST_P(EachPath, ARevokedUserIsCutAndOthersAreNot) {
  RunningRelay relay;
  TurnClient bob = this->client(relay, "bob");
  TurnClient carol = this->client(relay, "carol");
  ASSERT_EQ(bob.allocate(own_family()).error, 0);
  ASSERT_EQ(carol.allocate(own_family()).error, 0);
  ASSERT_TRUE(relay.service().revoke("bob"));
  // The order goes through a mailbox; a request tells when it has been carried out.
  int answer = 0;
  for (int i = 0; i < 10000 && answer == 0; ++i) answer = bob.refresh(seconds(600));
  EXPECT_EQ(answer, 437);
  EXPECT_EQ(carol.refresh(seconds(600)), 0);
}

TEST_P(EachPath, SecretsRotateWithoutEndingAllocations) {
  RunningRelay relay;
  TurnClient before = this->client(relay);
  ASSERT_EQ(before.allocate(own_family()).error, 0);
  relay.service().set_credentials(credentials_with({"newer", "other"}));
  EXPECT_EQ(before.refresh(seconds(600)), 0);
  TurnClient stale = this->client(relay);
  EXPECT_EQ(stale.allocate(own_family()).error, 401);
  TurnClient fresh(relay.at(GetParam().family), GetParam().transport, minted("bob", "other"));
  EXPECT_EQ(fresh.allocate(own_family()).error, 0);
}

TEST_P(EachPath, AStaticUserIsServed) {
  RunningRelay relay;
  TurnClient client(relay.at(GetParam().family), GetParam().transport, {"alice", "wonderland"});
  EXPECT_EQ(client.allocate(own_family()).error, 0);
  TurnClient wrong(relay.at(GetParam().family), GetParam().transport, {"alice", "looking-glass"});
  EXPECT_EQ(wrong.allocate(own_family()).error, 401);
  EXPECT_EQ(count_after(wrong, relay, Counter::refused_credentials), 1U);
}

TEST_P(EachPath, ThePeersIcmpErrorReachesTheClientAndTheRelayGoesOn) {
  RunningRelay relay;
  TurnClient client = this->client(relay);
  ASSERT_EQ(client.allocate(own_family()).error, 0);
  Address gone;
  {
    const UdpPeer peer(own_ip());
    gone = peer.address();
  }
  ASSERT_EQ(client.create_permission({gone}), 0);
  client.send_indication(gone, bytes_of("x"));
  const auto report = client.receive();
  ASSERT_TRUE(report.has_value());
  ASSERT_TRUE(report->icmp.has_value());
  EXPECT_EQ(report->peer_address, gone);
  UdpPeer peer(own_ip());
  ASSERT_EQ(client.create_permission({peer.address()}), 0);
  client.send_indication(peer.address(), bytes_of("y"));
  EXPECT_TRUE(peer.receive().has_value());
}

TEST_P(EachPath, TheSelfCheckPassesWhereLoopbackPeersAreDenied) {
  RelaySettings settings = loopback_settings();
  settings.allow_peers.clear();
  settings.user_quota = 1;
  settings.listen_addresses = {own_ip()};
  RunningRelay relay(settings);
  for (int i = 0; i < 3; ++i) {
    const auto checked = relay.service().self_check(test::kPatience);
    EXPECT_TRUE(checked) << (checked ? "" : checked.error());
  }
}

TEST(RelayService, ExternalAddressesAreShownToClientsAndUnderstoodFromThem) {
  RelaySettings settings = loopback_settings();
  const Ip external = *Ip::parse("203.0.113.7");
  settings.allow_peers.clear();
  settings.external_addresses = {{kLoopback4, external}};
  RunningRelay relay(settings);
  TurnClient one(relay.at(), Transport::udp, minted("one"));
  TurnClient other(relay.at(), Transport::udp, minted("other"));
  const Address one_relayed = one.allocate().relayed();
  const Address other_relayed = other.allocate().relayed();
  EXPECT_EQ(one_relayed.ip, external);
  ASSERT_EQ(one.create_permission({other_relayed}), 0);
  ASSERT_EQ(other.channel_bind(0x4001, one_relayed), 0);
  one.send_indication(other_relayed, bytes_of("ping"));
  EXPECT_TRUE(other.receive().has_value());
  other.send_channel_data(0x4001, bytes_of("pong"));
  const auto pong = one.receive();
  ASSERT_TRUE(pong.has_value());
  EXPECT_EQ(pong->peer_address, other_relayed);
  EXPECT_TRUE(relay.service().self_check(test::kPatience));
}

TEST(RelayService, RelayAddressesTakeTurnsAndServeEveryClient) {
  RelaySettings settings = loopback_settings();
  settings.shards = 1;
  settings.relay_addresses = {*Ip::parse("127.0.0.2"), *Ip::parse("127.0.0.3")};
  RunningRelay relay(settings);
  std::vector<TurnClient> clients;
  std::map<Ip, int> allocations_by_ip;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(relay.at(), Transport::udp, minted("bob"));
    allocations_by_ip[clients.back().allocate().relayed().ip] += 1;
  }
  EXPECT_EQ(allocations_by_ip,
            (std::map<Ip, int>{{*Ip::parse("127.0.0.2"), 2}, {*Ip::parse("127.0.0.3"), 2}}));
  EXPECT_EQ(clients.back().refresh(seconds(0)), 0);
  EXPECT_EQ(clients.back().allocate({.family = Family::ipv6}).error, 440);
}

TEST(RelayService, AnIpv6ClientGetsAnIpv4RelayByDefault) {
  RunningRelay relay;
  TurnClient client(relay.at(Family::ipv6), Transport::udp, minted("bob"));
  const auto allocated = client.allocate();
  ASSERT_EQ(allocated.error, 0);
  EXPECT_EQ(allocated.relayed().ip, kLoopback4);
}

TEST(RelayService, AFullRangeAnswersInsufficientCapacityAndRecovers) {
  RelaySettings settings = loopback_settings();
  settings.shards = 1;
  settings.relay_addresses = {*Ip::parse("127.0.0.9")};
  settings.relay_port_first = 50000;
  settings.relay_port_last = 50002;
  RunningRelay relay(settings);
  std::vector<TurnClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(relay.at(), Transport::udp, minted("bob"));
    EXPECT_EQ(clients.back().allocate().error, 0);
  }
  TurnClient late(relay.at(), Transport::udp, minted("bob"));
  EXPECT_EQ(late.allocate().error, 508);
  EXPECT_EQ(count_after(late, relay, Counter::refused_capacity), 1U);
  EXPECT_EQ(clients.front().refresh(seconds(0)), 0);
  EXPECT_EQ(late.allocate().error, 0);
}

TEST(RelayService, APortOfAnotherProgramIsPassedOver) {
  const Ip ip = *Ip::parse("127.0.0.9");
  const auto taken = io::open_udp_listener({ip, 50010}, io::PortSharing::exclusive);
  ASSERT_TRUE(taken);
  RelaySettings settings = loopback_settings();
  settings.shards = 1;
  settings.relay_addresses = {ip};
  settings.relay_port_first = 50010;
  settings.relay_port_last = 50011;
  RunningRelay relay(settings);
  TurnClient client(relay.at(), Transport::udp, minted("bob"));
  const auto allocated = client.allocate();
  ASSERT_EQ(allocated.error, 0);
  EXPECT_EQ(allocated.relayed(), (Address{ip, 50011}));
}

TEST(RelayService, TheTotalQuotaCountsEveryUserInEveryShard) {
  RelaySettings settings = loopback_settings();
  settings.total_quota = 3;
  RunningRelay relay(settings);
  std::vector<TurnClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(relay.at(), Transport::udp, minted("user" + std::to_string(i)));
    EXPECT_EQ(clients.back().allocate().error, 0);
  }
  TurnClient late(relay.at(), Transport::udp, minted("late"));
  EXPECT_EQ(late.allocate().error, 508);
}

TEST(RelayService, UserhashIsOfferedAndServedWithoutASharedSecret) {
  RunningRelay relay;
  relay.service().set_credentials(credentials_with({}));
  TurnClient client(relay.at(), Transport::udp, {"alice", "wonderland"});
  client.hide_username(true);
  EXPECT_EQ(client.allocate().error, 0);
}

TEST(RelayService, TheSelfCheckSaysWhichStepFailed) {
  RelaySettings settings = loopback_settings();
  settings.total_quota = 1;
  RunningRelay relay(settings);
  TurnClient client(relay.at(), Transport::udp, minted("bob"));
  ASSERT_EQ(client.allocate().error, 0);
  const auto checked = relay.service().self_check(test::kPatience);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error(), "self-check: Allocate: error 508 Insufficient Capacity");
}

TEST(RelayService, APortInUseStopsTheStartAndSaysWhatToDo) {
  RunningRelay first;
  RelaySettings settings = loopback_settings();
  settings.port = first.at().port;
  RelayService second(settings, credentials_with({"x"}));
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("is in use; see which program has it: ss -lunpt"), std::string::npos)
      << started.error().message;
}

TEST(RelayService, ARelayAddressThatIsNotOursStopsTheStart) {
  RelaySettings settings = loopback_settings();
  settings.relay_addresses = {*Ip::parse("192.0.2.1")};
  RelayService service(settings, credentials_with({"x"}));
  const auto started = service.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("192.0.2.1"), std::string::npos);
}

TEST(RelayService, StopLeavesNoDescriptorAndNoPort) {
  const std::size_t before = open_sockets();
  Address at;
  {
    RunningRelay relay;
    at = relay.at();
    TurnClient udp(relay.at(), Transport::udp, minted("bob"));
    TurnClient tcp(relay.at(), Transport::tcp, minted("bob"));
    EXPECT_EQ(udp.allocate({.reserve_next = true}).error, 0);
    EXPECT_EQ(tcp.allocate({.additional_ipv6 = true}).error, 0);
    relay.service().stop();
    EXPECT_TRUE(tcp.await_closed());
    relay.service().stop();
  }
  EXPECT_EQ(open_sockets(), before);
  EXPECT_TRUE(io::open_udp_listener(at, io::PortSharing::exclusive));
}

TEST(RelayService, ASecondServiceHasTheSamePortsAtOnce) {
  RelaySettings settings = loopback_settings();
  settings.shards = 3;
  settings.relay_addresses = {*Ip::parse("127.0.0.9")};
  settings.relay_port_first = 50020;
  settings.relay_port_last = 50031;
  for (int round = 0; round < 10; ++round) {
    {
      RunningRelay relay(settings);
      settings.port = relay.at().port;
      // Two pairs a shard: enough, whatever shards they land in.
      TurnClient udp(relay.at(), Transport::udp, minted("bob"));
      TurnClient tcp(relay.at(), Transport::tcp, minted("bob"));
      ASSERT_EQ(udp.allocate({.reserve_next = true}).error, 0) << round;
      ASSERT_EQ(tcp.allocate({.reserve_next = true}).error, 0) << round;
    }
    for (std::uint16_t port = settings.relay_port_first; port <= settings.relay_port_last; ++port)
      EXPECT_TRUE(io::open_relay_socket({settings.relay_addresses.front(), port})) << round << ' ' << port;
  }
}

TEST(RelayService, ShardsKeepNoPortBoundThatTheProcessClosed) {
  auto stranger = io::open_udp_listener({kLoopback4, 0}, io::PortSharing::exclusive);
  ASSERT_TRUE(stranger);
  const Address at = *io::bound_address(*stranger);
  RunningRelay relay;
  stranger->close();
  EXPECT_TRUE(io::open_udp_listener(at, io::PortSharing::exclusive));
}

TEST(RelayService, RelayAddressesOfEveryShardArePeersToEach) {
  RelaySettings settings = loopback_settings();
  settings.allow_peers.clear();
  settings.shards = 4;
  for (std::uint8_t host = 2; host <= 5; ++host)
    settings.relay_addresses.push_back(Ip::v4({127, 0, 0, host}));
  RunningRelay relay(settings);
  TurnClient client(relay.at(), Transport::udp, minted("bob"));
  ASSERT_EQ(client.allocate().error, 0);
  for (const Ip& ip : settings.relay_addresses) EXPECT_EQ(client.create_permission({{ip, 50000}}), 0);
  EXPECT_EQ(client.create_permission({*Address::parse("127.0.0.6:50000")}), 403);
}

}  // namespace
}  // namespace offhook::relay
