#include "io/net/socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "io/net/datagram_batch.h"
#include "io/net/datagram_queue.h"
#include "io/net/fd_limit.h"
#include "io/net/interfaces.h"

namespace offhook::io {
namespace {

constexpr int kPatienceMs = 5000;

Address loopback(Family family, std::uint16_t port = 0) {
  return {*Ip::parse(family == Family::ipv4 ? "127.0.0.1" : "::1"), port};
}

bool await(int fd, short events) {
  pollfd wanted{fd, events, 0};
  return poll(&wanted, 1, kPatienceMs) == 1;
}

std::optional<int> option_of(const Socket& socket, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(socket.get(), IPPROTO_TCP, option, &value, &length) != 0) return std::nullopt;
  return value;
}

class EachFamily : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Families, EachFamily, testing::Values(Family::ipv4, Family::ipv6));

TEST_P(EachFamily, DatagramsGoOutAndComeInByBatchesUnchanged) {
  auto sender = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  auto receiver = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  const Address to = *bound_address(receiver);
  std::vector<Buffer> payloads;
  for (const std::size_t size : {0U, 1U, 172U, 1500U, 9000U, 60000U}) {
    payloads.emplace_back(size, static_cast<std::uint8_t>(payloads.size() + 1));
  }
  DatagramQueue queue(8);
  for (const Buffer& payload : payloads) queue.add(sender.get(), {}, to, payload);
  EXPECT_EQ(queue.flush({}), 0U);
  EXPECT_TRUE(queue.empty());

  DatagramBatch batch(8, 64, 4);
  while (batch.size() < payloads.size()) {
    ASSERT_TRUE(await(receiver.get(), POLLIN));
    batch.receive(receiver.get(), 8);
  }
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto datagram = batch.datagram(i);
    EXPECT_EQ(datagram.offset, 64U);
    EXPECT_GE(datagram.storage.size(), 64 + datagram.size + 4);
    EXPECT_TRUE(equal(datagram.storage.subspan(datagram.offset, datagram.size), payloads[i])) << i;
    EXPECT_EQ(datagram.from, bound_address(sender));
  }
  EXPECT_EQ(batch.receive(receiver.get(), 8).datagrams, 0U);
  batch.clear();
  EXPECT_EQ(batch.free_slots(), 8U);
}

TEST_P(EachFamily, OneQueueServesSeveralSockets) {
  auto first = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  auto second = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  DatagramQueue queue(4);
  const Buffer payload{1, 2, 3};
  queue.add(first.get(), {}, *bound_address(second), payload);
  queue.add(second.get(), {}, *bound_address(first), payload);
  queue.add(second.get(), {}, *bound_address(first), payload);
  queue.add(first.get(), {}, *bound_address(second), payload);
  EXPECT_TRUE(queue.full());
  EXPECT_EQ(queue.flush({}), 0U);
  DatagramBatch batch(4, 64, 4);
  for (const Socket* socket : {&first, &second}) {
    batch.clear();
    while (batch.size() < 2) {
      ASSERT_TRUE(await(socket->get(), POLLIN));
      batch.receive(socket->get(), 4);
    }
  }
}

TEST_P(EachFamily, ADatagramTooLargeIsLostAloneAndThoseBehindItGoOn) {
  auto sender = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  auto receiver = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  const Buffer small{1};
  const Buffer oversized(65535);
  DatagramQueue queue(4);
  for (const Buffer* payload : {&small, &oversized, &small}) {
    queue.add(sender.get(), {}, *bound_address(receiver), *payload);
  }
  EXPECT_EQ(queue.flush({}), 1U);
  DatagramBatch batch(4, 64, 4);
  while (batch.size() < 2) {
    ASSERT_TRUE(await(receiver.get(), POLLIN));
    batch.receive(receiver.get(), 4);
  }
}

TEST_P(EachFamily, IcmpErrorsAreReadAndTheSocketGoesOn) {
  auto relay = *open_relay_socket(loopback(GetParam()));
  Address nobody;
  {
    const auto gone = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
    nobody = *bound_address(gone);
  }
  EXPECT_TRUE(send_datagram(relay.get(), nobody, Buffer{1, 2, 3}));
  ASSERT_TRUE(await(relay.get(), POLLERR));
  const auto entry = take_error(relay);
  ASSERT_TRUE(entry.icmp.has_value());
  EXPECT_EQ(entry.icmp->peer_address, nobody);
  EXPECT_EQ(entry.icmp->type, GetParam() == Family::ipv4 ? 3 : 1);  // destination unreachable
  EXPECT_EQ(entry.icmp->code, GetParam() == Family::ipv4 ? 3 : 4);  // port
  EXPECT_FALSE(take_error(relay).more);
  pollfd silent{relay.get(), POLLIN, 0};
  EXPECT_EQ(poll(&silent, 1, 0), 0);

  auto receiver = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  EXPECT_TRUE(send_datagram(relay.get(), *bound_address(receiver), Buffer{4}));
  EXPECT_TRUE(await(receiver.get(), POLLIN));
}

TEST_P(EachFamily, AnErrorOfAnEarlierDatagramDoesNotLoseTheNext) {
  auto relay = *open_relay_socket(loopback(GetParam()));
  auto receiver = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  Address nobody;
  {
    const auto gone = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
    nobody = *bound_address(gone);
  }
  EXPECT_TRUE(send_datagram(relay.get(), nobody, Buffer{1}));
  ASSERT_TRUE(await(relay.get(), POLLERR));
  EXPECT_TRUE(send_datagram(relay.get(), *bound_address(receiver), Buffer{2}));
  EXPECT_TRUE(await(receiver.get(), POLLIN));
}

TEST_P(EachFamily, AcceptsConnectionsAndTellsWhenNoneWaits) {
  auto listener = *open_tcp_listener(loopback(GetParam()), PortSharing::between_shards);
  const auto none = accept_connection(listener);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), EAGAIN);

  const Address at = *bound_address(listener);
  SocketAddress target{};
  const socklen_t length = to_socket_address(at, target);
  const Socket client(socket(domain_of(GetParam()), SOCK_STREAM, 0));
  ASSERT_EQ(connect(client.get(), &target.any, length), 0);
  ASSERT_TRUE(await(listener.get(), POLLIN));
  const auto accepted = accept_connection(listener);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->client_address, bound_address(client));
  EXPECT_EQ(bound_address(accepted->socket), at);
  EXPECT_EQ(option_of(accepted->socket, TCP_NODELAY), 1);
  EXPECT_EQ(option_of(accepted->socket, TCP_THIN_LINEAR_TIMEOUTS), 1);
}

TEST_P(EachFamily, APortInUseSaysSoAndWhatToDo) {
  const auto first = *open_udp_listener(loopback(GetParam()), PortSharing::between_shards);
  const Address taken = *bound_address(first);
  EXPECT_TRUE(open_udp_listener(taken, PortSharing::between_shards));
  const auto refused = open_udp_listener(taken, PortSharing::exclusive);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EADDRINUSE);
  const std::string text = refused.error().text();
  EXPECT_NE(text.find("listen on UDP " + taken.text()), std::string::npos) << text;
  EXPECT_NE(text.find("ss -lunpt"), std::string::npos) << text;

  const auto stream = *open_tcp_listener(loopback(GetParam()), PortSharing::exclusive);
  EXPECT_FALSE(open_tcp_listener(*bound_address(stream), PortSharing::exclusive));
}

TEST_P(EachFamily, DontFragmentCanBeSetAndTakenBack) {
  const auto relay = *open_relay_socket(loopback(GetParam()));
  const int level = GetParam() == Family::ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
  const int name = GetParam() == Family::ipv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
  const auto discovery = [&] {
    int value = -1;
    socklen_t length = sizeof value;
    EXPECT_EQ(getsockopt(relay.get(), level, name, &value, &length), 0);
    return value;
  };
  // Neither sets DF; on IPv4 only OMIT lets "fragmentation needed" through to the error queue.
  const int without = GetParam() == Family::ipv4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_DONT;
  EXPECT_EQ(discovery(), without);
  EXPECT_TRUE(set_dont_fragment(relay, GetParam(), true));
  EXPECT_EQ(discovery(), GetParam() == Family::ipv4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE);
  EXPECT_TRUE(set_dont_fragment(relay, GetParam(), false));
  EXPECT_EQ(discovery(), without);
  auto receiver = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  EXPECT_TRUE(send_datagram(relay.get(), *bound_address(receiver), Buffer(60000)));
  EXPECT_TRUE(await(receiver.get(), POLLIN));
}

TEST(Sockets, AnAddressThatIsNotOursIsRefused) {
  const auto refused = open_udp_listener(*Address::parse("192.0.2.1:0"), PortSharing::exclusive);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EADDRNOTAVAIL);
  EXPECT_FALSE(refused.error().hint.empty());
}

TEST(Sockets, DropsOfAFullReceiveBufferAreCounted) {
  auto sender = *open_udp_listener(loopback(Family::ipv4), PortSharing::exclusive);
  auto receiver = *open_udp_listener(loopback(Family::ipv4), PortSharing::exclusive);
  const int least = 1;
  ASSERT_EQ(setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
  const Buffer payload(1200);
  EXPECT_EQ(kernel_drops(receiver.get()), 0U);
  for (int i = 0; i < 50; ++i) (void)send_datagram(sender.get(), *bound_address(receiver), payload);
  EXPECT_GT(kernel_drops(receiver.get()), 0U);
}

// The kernel asks the socket that receives for a port whether to learn the path MTU that an ICMP error tells:
// the answer must be the one of the port's own.
TEST(Sockets, ASharedReceiverBelievesWhatRelaySocketsDo) {
  const auto discovery = [](const Socket& socket, Family family) {
    int value = -1;
    socklen_t length = sizeof value;
    const bool is_v4 = family == Family::ipv4;
    EXPECT_EQ(getsockopt(socket.get(), is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
                         is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value, &length),
              0);
    return value;
  };
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto shared = open_shared_receiver(family);
    const auto own = open_relay_socket(loopback(family));
    ASSERT_TRUE(shared && own);
    EXPECT_EQ(discovery(*shared, family), discovery(*own, family));
  }
}

TEST(Sockets, TellHowFullTheirReceiveBufferIs) {
  const auto sender = *open_udp_listener(loopback(Family::ipv4), PortSharing::exclusive);
  const auto receiver = *open_udp_listener(loopback(Family::ipv4), PortSharing::exclusive);
  const int bytes = 100'000;
  ASSERT_EQ(setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
  EXPECT_EQ(receive_queue_percent(receiver.get()), 0U);
  ASSERT_TRUE(send_datagram(sender.get(), *bound_address(receiver), Buffer(40'000)));
  EXPECT_GT(receive_queue_percent(receiver.get()), 15U);
  EXPECT_LT(receive_queue_percent(receiver.get()), 60U);
  EXPECT_EQ(receive_queue_percent(-1), 0U);
}

TEST(Interfaces, LoopbackIsUpAndIpv4ComesFirst) {
  const auto found = interface_addresses();
  ASSERT_FALSE(found.empty());
  EXPECT_NE(std::find(found.begin(), found.end(), *Ip::parse("127.0.0.1")), found.end());
  EXPECT_TRUE(std::is_partitioned(found.begin(), found.end(), [](const Ip& ip) { return ip.is_v4(); }));
}

TEST(FdLimit, IsRaisedToTheHardLimitAtLeast) {
  const std::uint64_t limit = raise_fd_limit(1);
  EXPECT_GT(limit, 0U);
  EXPECT_EQ(raise_fd_limit(1), limit);
}

TEST(SystemErrors, LowPortsHintAtTheRightToBindThem) {
  EXPECT_NE(system_error("listen", EACCES, 443).hint.find("cap_net_bind_service"), std::string::npos);
  EXPECT_TRUE(system_error("listen", EACCES, 8443).hint.empty());
  EXPECT_NE(system_error("listen", EMFILE, 0).text().find("LimitNOFILE"), std::string::npos);
}

}  // namespace
}  // namespace offhook::io
