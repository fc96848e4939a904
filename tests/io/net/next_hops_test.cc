// The kernel's routes and neighbours, as a packet socket needs them, in networks of the test's own.

#include "io/net/next_hops.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <set>

#include "io/net/own_network.h"
#include "io/net/socket.h"
#include "io/net/socket_address.h"
#include "service/fastpath/three_networks.h"

namespace offhook::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kClientHost4;
using test::kPeerHost4;
using test::kPeerHost6;
using test::kServerForPeers4;
using test::kServerForPeers6;

constexpr int kPatienceMs = 5000;

// Of a device of the thread's network.
std::array<std::uint8_t, 6> ethernet_of(const char* device) {
  const Socket socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, device, sizeof request.ifr_name - 1);
  EXPECT_EQ(ioctl(socket.get(), SIOCGIFHWADDR, &request), 0);
  std::array<std::uint8_t, 6> address{};
  std::memcpy(address.data(), request.ifr_hwaddr.sa_data, address.size());
  return address;
}

class NextHopsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!networks_.ready()) GTEST_SKIP() << "no networks of its own (root, ip(8) and ethtool(8) are needed)";
    networks_.enter_server();
    hops_ = NextHops::open();
    ASSERT_TRUE(hops_);
  }
  std::optional<NextHop> find(const Ip& to) {
    NextHop hop;
    const auto sender = hops_->find(to.is_v4() ? kServerForPeers4 : kServerForPeers6, to, now_, hop);
    last_ = sender;
    return sender == NextHops::Sender::ours ? std::optional(hop) : std::nullopt;
  }
  // As find(), past the turn that the kernel has.
  std::optional<NextHop> find_again(const Ip& to) {
    (void)find(to);
    return find(to);
  }
  // Waits until the kernel has told of something.
  void handle_changes() {
    pollfd wanted{hops_->changes_fd(), POLLIN, 0};
    ASSERT_EQ(poll(&wanted, 1, kPatienceMs), 1);
    hops_->handle_changes();
  }
  // Lets the kernel send one, so that it looks for the neighbour.
  void meet(const Ip& to) {
    const auto socket = open_relay_socket({to.is_v4() ? kServerForPeers4 : kServerForPeers6, 0});
    ASSERT_TRUE(socket);
    ASSERT_TRUE(send_datagram(socket->get(), to));
    for (int i = 0; i < 10 && !find_again(to); ++i) handle_changes();
  }
  static bool send_datagram(int fd, const Ip& to) {
    SocketAddress target{};
    const socklen_t length = to_socket_address({to, 9}, target);
    return sendto(fd, "x", 1, 0, &target.any, length) == 1;
  }

  test::ThreeNetworks networks_;
  std::optional<NextHops> hops_;
  NextHops::Sender last_ = NextHops::Sender::ours;  // as find() said
  Instant now_ = Instant(seconds(1000));
};

TEST_F(NextHopsTest, AreKnownOnceTheKernelHasMetTheNeighbour) {
  networks_.enter_peers();
  const auto far = ethernet_of("peers");
  networks_.enter_server();
  const auto near = ethernet_of("peers");
  std::array<std::uint8_t, 12> expected{};
  std::ranges::copy(far, expected.begin());
  std::ranges::copy(near, expected.begin() + 6);
  for (const Ip& to : {kPeerHost4, kPeerHost6}) {
    SCOPED_TRACE(to.text());
    EXPECT_FALSE(find_again(to)) << "nobody has asked for its Ethernet address";
    meet(to);
    const auto hop = find(to);
    ASSERT_TRUE(hop);
    EXPECT_EQ(hop->interface, static_cast<int>(if_nametoindex("peers")));
    EXPECT_EQ(hop->ethernet, expected);
    EXPECT_EQ(hop->ip_bytes_limit, 1500U);
    const auto next = find(to);
    ASSERT_TRUE(next);
    EXPECT_NE(next->identification, hop->identification);
  }
}

// A neighbour that the kernel never sends to is one that it never checks.
TEST_F(NextHopsTest, TheKernelHasItsTurnOnceASecond) {
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers"));
  for (int second = 0; second < 3; ++second) {
    EXPECT_FALSE(find(kPeerHost4));
    EXPECT_TRUE(find(kPeerHost4));
    now_ += milliseconds(999);
    EXPECT_TRUE(find(kPeerHost4));
    now_ += milliseconds(1);
  }
}

TEST_F(NextHopsTest, FollowANeighbour) {
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers"));
  EXPECT_EQ(find_again(kPeerHost4)->ethernet[5], 0x09);
  hops_->handle_changes();
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:0a dev peers"));
  handle_changes();
  EXPECT_EQ(find_again(kPeerHost4)->ethernet[5], 0x0A);
  ASSERT_TRUE(run("ip neigh del 198.51.100.9 dev peers"));
  handle_changes();
  EXPECT_FALSE(find_again(kPeerHost4)) << "the kernel is to find it anew";
  meet(kPeerHost4);
  EXPECT_TRUE(find_again(kPeerHost4));
}

TEST_F(NextHopsTest, FollowRoutesRulesAndLinks) {
  const Ip far = *Ip::parse("192.0.2.77");
  const auto interface = [&]() -> std::string {
    hops_->handle_changes();
    const auto hop = find_again(far);
    std::array<char, IF_NAMESIZE> name{};
    return hop ? if_indextoname(static_cast<unsigned>(hop->interface), name.data()) : "the kernel";
  };
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  ASSERT_TRUE(run("ip neigh replace 203.0.113.9 lladdr 02:00:00:00:00:0b dev clients nud permanent"));
  EXPECT_EQ(interface(), "the kernel") << "there is no way";
  ASSERT_TRUE(run("ip route add 192.0.2.0/24 via 198.51.100.9"));
  EXPECT_EQ(interface(), "peers");
  ASSERT_TRUE(run("ip route replace 192.0.2.0/24 via 203.0.113.9"));
  EXPECT_EQ(interface(), "clients");
  EXPECT_EQ(find(far)->ethernet[5], 0x0B) << "the gateway's, not the destination's";
  ASSERT_TRUE(
      run("ip rule add from 198.51.100.1 lookup 77 && ip route add 192.0.2.0/24 via 198.51.100.9 table 77"));
  EXPECT_EQ(interface(), "peers") << "a rule of its own address";
  ASSERT_TRUE(run("ip link set peers mtu 1400"));
  EXPECT_EQ(interface(), "peers");
  EXPECT_EQ(find(far)->ip_bytes_limit, 1400U);
  ASSERT_TRUE(run(
      "ip rule del from 198.51.100.1 lookup 77 && ip route replace 192.0.2.0/24 via 203.0.113.9 mtu 1300"));
  EXPECT_EQ(interface(), "clients");
  EXPECT_EQ(find(far)->ip_bytes_limit, 1300U);
  ASSERT_TRUE(run("ip link set clients down"));
  EXPECT_EQ(interface(), "the kernel");
}

TEST_F(NextHopsTest, LeaveToTheKernelWhatIsNoEthernet) {
  ASSERT_TRUE(
      run("ip tuntap add mode tun name still && ip link set still up && ip addr add 192.0.2.1/24 dev still"));
  ASSERT_TRUE(run("ip route add blackhole 10.1.0.0/16 && ip route add unreachable 10.2.0.0/16"));
  ASSERT_TRUE(run("ip route add 10.3.0.0/16 via inet6 2001:db8:2::9 dev peers"));
  ASSERT_TRUE(run("ip neigh replace 2001:db8:2::9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"127.0.0.1", "this machine"},
      {"198.51.100.1", "an address of this machine"},
      {"192.0.2.9", "a link without Ethernet"},
      {"10.1.0.1", "a black hole"},
      {"10.2.0.1", "a route that refuses"},
      {"10.3.0.1", "a gateway of the other family"},
      {"198.51.100.255", "everybody there"},
      {"8.8.8.8", "no route"},
      {"::1", "this machine"},
      {"2001:db8:2::1", "an address of this machine"},
  };
  for (const auto& [to, what] : cases) EXPECT_FALSE(find_again(*Ip::parse(to))) << what;
}

// Whoever sends to ever new destinations must not hold up the others.
TEST_F(NextHopsTest, ARoundAsksTheKernelAFewTimes) {
  ASSERT_TRUE(run("ip route add default via 198.51.100.9"));
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  (void)find(kPeerHost4);
  now_ += milliseconds(1);
  const auto destination = [](std::uint32_t number) { return Ip::v4(0x0A000001U + number); };
  std::size_t found = 0;
  for (std::uint32_t i = 0; i < 100; ++i) found += find(destination(i)) ? 1U : 0U;
  EXPECT_EQ(found, 8U);
  for (int round = 0; round < 12; ++round) {
    now_ += milliseconds(1);
    found = 0;
    for (std::uint32_t i = 0; i < 100; ++i) found += find(destination(i)) ? 1U : 0U;
  }
  EXPECT_EQ(found, 100U);
}

// More destinations than are remembered: each is found all the same.
TEST_F(NextHopsTest, ForgetAndAskAgain) {
  ASSERT_TRUE(run("ip route add default via 198.51.100.9"));
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  std::size_t left_to_kernel = 0;
  for (std::uint32_t i = 0; i < 70'000; ++i) {
    now_ += std::chrono::nanoseconds(1);
    const auto hop = find(Ip::v4(0x0A000001U + i));
    left_to_kernel += hop ? 0U : 1U;
    ASSERT_TRUE(!hop || hop->ethernet[5] == 0x09);
  }
  EXPECT_LE(left_to_kernel, 3U) << "one turn at first, and one each time that all is forgotten";
}

TEST_F(NextHopsTest, AskAgainAfterAMinuteWhatNobodyToldOf) {
  ASSERT_TRUE(run("ip route add 192.0.2.0/24 via 198.51.100.9"));
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  ASSERT_TRUE(run("ip neigh replace 203.0.113.9 lladdr 02:00:00:00:00:0b dev clients nud permanent"));
  const Ip far = *Ip::parse("192.0.2.77");
  EXPECT_EQ(find_again(far)->ethernet[5], 0x09);
  ASSERT_TRUE(run("ip route replace 192.0.2.0/24 via 203.0.113.9"));
  now_ += seconds(59);
  EXPECT_EQ(find_again(far)->ethernet[5], 0x09) << "changes are not handled in this test";
  now_ += seconds(2);
  EXPECT_EQ(find_again(far)->ethernet[5], 0x0B);
}

// The kernel chooses among several by more than it is asked with here.
TEST_F(NextHopsTest, LeaveOneOfSeveralWaysToTheKernel) {
  const std::string both = " nexthop via 198.51.100.9 nexthop via 203.0.113.9";
  ASSERT_TRUE(run("ip route add 192.0.2.0/24" + both));
  ASSERT_TRUE(run("ip -6 route add 2001:db8:9::/64 nexthop via 2001:db8:2::9 nexthop via 2001:db8:1::9"));
  ASSERT_TRUE(run("ip nexthop add id 7 via 198.51.100.9 dev peers && ip route add 10.9.0.0/16 nhid 7"));
  for (const char* neighbour : {"198.51.100.9 dev peers", "203.0.113.9 dev clients",
                                "2001:db8:2::9 dev peers", "2001:db8:1::9 dev clients"})
    ASSERT_TRUE(
        run("ip neigh replace " + std::string(neighbour) + " lladdr 02:00:00:00:00:09 nud permanent"));
  for (const char* to : {"192.0.2.1", "192.0.2.2", "2001:db8:9::1", "2001:db8:9::2", "10.9.0.1"}) {
    EXPECT_FALSE(find_again(*Ip::parse(to))) << to;
    EXPECT_EQ(last_, NextHops::Sender::kernel) << to;
  }
}

TEST_F(NextHopsTest, ANeighbourThatHasFailedIsTheKernelsToFind) {
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers"));
  ASSERT_TRUE(find_again(kPeerHost4));
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud failed"));
  hops_->handle_changes();
  EXPECT_FALSE(find_again(kPeerHost4));
  EXPECT_EQ(last_, NextHops::Sender::kernel_now);
}

TEST_F(NextHopsTest, ALinkWithoutArpIsTheKernels) {
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  ASSERT_TRUE(find_again(kPeerHost4));
  ASSERT_TRUE(run("ip link set peers arp off"));
  hops_->handle_changes();
  EXPECT_FALSE(find_again(kPeerHost4));
  EXPECT_EQ(last_, NextHops::Sender::kernel);
}

// To ask for everything again after each change costs more than is gained.
TEST_F(NextHopsTest, RoutesThatNeverRestAreLeftToTheKernel) {
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  int changes = 0;
  for (; changes < 100; ++changes) {
    if (!find_again(kPeerHost4)) break;
    ASSERT_TRUE(run("ip route add 192.0.2.0/24 via 198.51.100.9 metric " + std::to_string(changes + 1)));
    hops_->handle_changes();
  }
  EXPECT_LE(changes, 9);
  EXPECT_GE(changes, 4) << "some, which may not all be the test's";
  now_ += seconds(1);
  EXPECT_TRUE(find_again(kPeerHost4));
}

// Packets wait while changes are read, so a part is read at a time; until all are, nothing known counts.
TEST_F(NextHopsTest, NothingIsKnownWhileChangesWait) {
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  ASSERT_TRUE(find_again(kPeerHost4));
  const std::string path = testing::TempDir() + "offhook_many_neighbours";
  std::string commands;
  for (int i = 0; i < 300; ++i) {
    commands += "neigh replace 203.0.113." + std::to_string(i % 200 + 20) + " lladdr 02:00:00:00:00:";
    commands += i < 200 ? "01" : "02";
    commands += " dev clients nud permanent\n";
  }
  ASSERT_TRUE(write_file(path, commands) && run("ip -batch " + path) && unlink(path.c_str()) == 0);
  hops_->handle_changes();
  EXPECT_FALSE(find_again(kPeerHost4));
  EXPECT_EQ(last_, NextHops::Sender::kernel_now);
  hops_->handle_changes();
  EXPECT_TRUE(find_again(kPeerHost4));
}

// What is told while nobody listens is more than the socket holds.
TEST_F(NextHopsTest, ChangesThatWereLostAreNotMissed) {
  ASSERT_TRUE(run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev peers nud permanent"));
  ASSERT_TRUE(find_again(kPeerHost4));
  const int least = 1;
  ASSERT_EQ(setsockopt(hops_->changes_fd(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
  // Of other neighbours: none of these makes anything forgotten by itself.
  ASSERT_TRUE(
      run("for i in $(seq 20 60); do"
          " ip neigh replace 203.0.113.$i lladdr 02:00:00:00:00:01 dev clients; done;"
          "ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:0c dev peers nud permanent"));
  handle_changes();
  EXPECT_EQ(find_again(kPeerHost4)->ethernet[5], 0x0C);
}

}  // namespace
}  // namespace offhook::io
