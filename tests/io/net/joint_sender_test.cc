// Datagrams of relay sockets that leave through a packet socket or an AF_XDP socket: what arrives is the
// same, whichever way they took. A packet filter that drops all that the kernel's IP sends, and one of the
// interface that drops what packet sockets send as well, tell the ways apart.

#include "io/net/joint_sender.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>

#include <cstring>
#include <thread>
#include <tuple>

#include "io/loop/clock.h"
#include "io/net/datagram_batch.h"
#include "io/net/datagram_queue.h"
#include "io/net/own_network.h"
#include "io/net/socket.h"
#include "service/fastpath/three_networks.h"

namespace offhook::io {
namespace {

constexpr int kPatienceMs = 5000;
constexpr std::size_t kSlots = 64;

Buffer numbered(std::size_t size, std::size_t number) {
  return Buffer(size, static_cast<std::uint8_t>(number + 1));
}

struct Arrived {
  Buffer bytes;
  std::optional<Address> from;
};

enum class Way : std::uint8_t { packet_socket, xdp_socket };

class JointSenderTest : public testing::TestWithParam<std::tuple<Family, Way>> {
 protected:
  static bool is_v4() { return std::get<Family>(GetParam()) == Family::ipv4; }
  static bool has_xdp() { return std::get<Way>(GetParam()) == Way::xdp_socket; }
  static Ip local() { return is_v4() ? test::kServerForPeers4 : test::kServerForPeers6; }
  static Ip peer() { return is_v4() ? test::kPeerHost4 : test::kPeerHost6; }

  virtual std::size_t frames_each() const { return 2 * kSlots; }

  void SetUp() override {
    if (!networks_.ready()) GTEST_SKIP() << "no networks of its own (root, ip(8) and ethtool(8) are needed)";
    networks_.enter_peers();
    receiver_ = std::move(*open_udp_listener({peer(), 0}, PortSharing::exclusive));
    networks_.enter_server();
    for (Socket& each : senders_) each = std::move(*open_relay_socket({local(), 0}));
    std::vector<RawSender> raw;
    raw.push_back(std::move(*RawSender::open(local(), kSlots)));
    std::vector<XdpSender> xdp;
    if (has_xdp()) {
      auto queue = XdpQueue::open(static_cast<int>(if_nametoindex("peers")), 2, frames_each());
      if (!queue) GTEST_SKIP() << "no AF_XDP sockets: " << std::strerror(queue.error());
      xdp_queue_ = std::move(*queue);
      xdp.push_back(std::move(*XdpSender::open(xdp_queue_, 1, kSlots)));
    }
    queue_.emplace(kSlots,
                   JointSender(std::move(raw), PacketSender::open(kSlots), NextHops::open(), std::move(xdp)));
    queue_->joint().allow_xdp_sockets(true);
  }
  void add(const Socket& sender, std::size_t size) {
    payloads_.push_back(std::make_unique<Buffer>(numbered(size, payloads_.size())));
    queue_->add(sender.get(), *bound_address(sender), *bound_address(receiver_), *payloads_.back());
  }
  std::size_t flush() { return queue_->flush(now_); }
  // Until the next hop is known; what arrives meanwhile is taken away.
  void meet() {
    queue_->joint().allow_packet_socket(true);
    add(senders_[0], 1);
    ASSERT_EQ(flush(), 0U);
    std::size_t size = 0;
    while ((size = receive().bytes.size()) > 1) {
    }
    ASSERT_EQ(size, 1U);
    payloads_.clear();
    pollfd told{queue_->joint().changes_fd(), POLLIN, 0};
    ASSERT_EQ(poll(&told, 1, kPatienceMs), 1) << "the neighbour, after the packet that had to wait for it";
    queue_->joint().handle_changes();
    // The kernel's turn is over then.
    add(senders_[0], 1);
    ASSERT_EQ(flush(), 0U);
    ASSERT_EQ(receive().bytes.size(), 1U);
    payloads_.clear();
  }
  // After the interface was away for a while.
  void meet_again() {
    queue_->joint().handle_changes();
    payloads_.clear();
    now_ += std::chrono::seconds(10);
    meet();
    // AF_XDP sockets leave it alone for a second from the first round on.
    for (int i = 0; i < 2; ++i) {
      add_to_each(50);
      ASSERT_EQ(flush(), 0U);
      expect_from_each(50);
      now_ += std::chrono::seconds(2);
    }
    now_ -= std::chrono::seconds(2);
  }
  static bool drop_what_the_kernel_sends() {
    return run(
        "nft 'add table inet t; add chain inet t o { type filter hook output priority 0; policy drop; }'");
  }
  // False where the kernel has no such chains (before 5.16).
  static bool drop_what_packet_sockets_send() {
    return run(
        "nft 'add table netdev t; add chain netdev t o { type filter hook egress device peers priority 0; "
        "policy "
        "drop; }'");
  }
  void add_to_each(std::size_t size) {
    for (const Socket& each : senders_) add(each, size);
  }
  // Something of this size from each, in whatever order.
  void expect_from_each(std::size_t size) {
    for (std::size_t i = 0; i < senders_.size(); ++i) EXPECT_EQ(receive().bytes.size(), size);
  }
  Arrived receive() {
    pollfd wanted{receiver_.get(), POLLIN, 0};
    if (poll(&wanted, 1, kPatienceMs) != 1) return {};
    DatagramBatch batch(1, 0, 0);
    if (batch.receive(receiver_.get(), 1).datagrams != 1) return {};
    const auto datagram = batch.datagram(0);
    const auto begin = datagram.storage.begin();
    return {Buffer(begin, begin + static_cast<std::ptrdiff_t>(datagram.size)), datagram.from};
  }
  bool nothing_has_come() {
    std::uint8_t byte = 0;
    return recv(receiver_.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  test::ThreeNetworks networks_;
  Socket receiver_;
  std::array<Socket, 3> senders_;
  std::shared_ptr<XdpQueue> xdp_queue_;  // none with packet sockets
  std::optional<DatagramQueue> queue_;
  std::vector<std::unique_ptr<Buffer>> payloads_;
  Instant now_ = Instant(std::chrono::seconds(1000));
};

TEST_P(JointSenderTest, PacketsGoPastThePacketFilterOnceTheNextHopIsKnown) {
  meet();
  ASSERT_TRUE(drop_what_the_kernel_sends());
  // Odd and even, the least and the most.
  const std::array<std::size_t, 6> sizes = {0, 1, 172, 1001, 1200, 1232};
  for (std::size_t i = 0; i < sizes.size(); ++i) add(senders_[i % senders_.size()], sizes[i]);
  ASSERT_EQ(flush(), 0U);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Arrived arrived = receive();
    EXPECT_EQ(arrived.bytes, numbered(sizes[i], i));
    EXPECT_EQ(arrived.from, bound_address(senders_[i % senders_.size()]));
  }
  EXPECT_TRUE(nothing_has_come());
}

// The receiver's kernel checks: one in 65,536 has a checksum of zero, which must not be sent as such.
TEST_P(JointSenderTest, EveryChecksumIsRight) {
  meet();
  ASSERT_TRUE(drop_what_the_kernel_sends());
  // So few of each that they are not sent as one message, which would be the kernel's.
  const std::uint32_t at_once = 4;
  for (std::uint32_t value = 0; value < 65536; value += at_once) {
    for (std::uint32_t i = value; i < value + at_once; ++i) {
      payloads_.push_back(
          std::make_unique<Buffer>(Buffer{static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}));
      queue_->add(senders_[i % 2].get(), *bound_address(senders_[i % 2]), *bound_address(receiver_),
                  *payloads_.back());
    }
    ASSERT_EQ(flush(), 0U);
    for (const auto& payload : payloads_) ASSERT_EQ(receive().bytes, *payload);
    payloads_.clear();
  }
}

TEST_P(JointSenderTest, WithoutPermissionNothingGoesPastThePacketFilter) {
  meet();
  ASSERT_TRUE(drop_what_the_kernel_sends());
  queue_->joint().allow_packet_socket(false);
  for (const Socket& each : senders_) add(each, 100);
  EXPECT_EQ(flush(), senders_.size()) << "the filter's refusal is told";
  ASSERT_TRUE(run("nft delete table inet t"));
  for (const Socket& each : senders_) add(each, 200);
  ASSERT_EQ(flush(), 0U);
  for (std::size_t i = 0; i < senders_.size(); ++i) EXPECT_EQ(receive().bytes.size(), 200U);
}

// The kernel's turn, what no frame takes, bursts that are cut: each has another way than the one before it.
TEST_P(JointSenderTest, NothingIsOvertaken) {
  meet();
  now_ += std::chrono::milliseconds(990);
  std::vector<std::size_t> sizes;
  for (std::size_t round = 0; round < 40; ++round) {
    now_ += std::chrono::milliseconds(1);
    for (const std::size_t size :
         std::initializer_list<std::size_t>{100, 101, 102, 1600, 103, 300, 300, 300, 104}) {
      add(senders_[0], size);
      sizes.push_back(size);
    }
    ASSERT_EQ(flush(), 0U);
    for (std::size_t i = sizes.size() - 9; i < sizes.size(); ++i)
      ASSERT_EQ(receive().bytes, numbered(sizes[i], i)) << "round " << round;
  }
}

TEST_P(JointSenderTest, WhatTheNextHopDoesNotTakeWholeIsCut) {
  const std::string route =
      is_v4() ? "ip route replace 198.51.100.0/24" : "ip -6 route replace 2001:db8:2::/64";
  ASSERT_TRUE(run(route + " dev peers mtu 1280"));
  meet();
  const std::size_t largest = is_v4() ? 1280 - 28 : 1280 - 48;
  for (const std::size_t size : {largest, largest + 1, std::size_t{1400}}) add(senders_[0], size);
  ASSERT_EQ(flush(), 0U);
  EXPECT_EQ(receive().bytes, numbered(largest, 0));
  EXPECT_EQ(receive().bytes, numbered(largest + 1, 1));
  EXPECT_EQ(receive().bytes, numbered(1400, 2));
}

TEST_P(JointSenderTest, AnInterfaceThatIsGoneIsToldAsALoss) {
  meet();
  ASSERT_TRUE(run("ip link set peers down"));
  for (const Socket& each : senders_) add(each, 100);
  EXPECT_EQ(flush(), senders_.size());
  EXPECT_TRUE(nothing_has_come());
}

TEST_P(JointSenderTest, AnInterfaceThatIsBackIsSentToAgainAndNothingOld) {
  meet();
  ASSERT_TRUE(run("ip link set peers down"));
  for (std::size_t size = 100; size < 110; ++size) add_to_each(size);
  EXPECT_EQ(flush(), 10 * senders_.size());
  ASSERT_TRUE(run("ip link set peers up") &&
              (is_v4() || run("ip address add 2001:db8:2::1/64 dev peers nodad")));
  meet_again();
  ASSERT_TRUE(drop_what_the_kernel_sends());
  ASSERT_TRUE(!has_xdp() || drop_what_packet_sockets_send());
  for (std::size_t size = 200; size < 500; ++size) {
    add_to_each(size);
    ASSERT_EQ(flush(), 0U) << size;
    expect_from_each(size);
  }
  EXPECT_TRUE(nothing_has_come());
}

TEST_P(JointSenderTest, OnlyXdpSocketsGoPastWhatFiltersAtTheInterfaceAndOnlyWhereTheyMay) {
  meet();
  if (!drop_what_packet_sockets_send()) GTEST_SKIP() << "no chains of what leaves (Linux before 5.16)";
  add_to_each(100);
  EXPECT_EQ(flush(), has_xdp() ? 0U : senders_.size()) << "the filter's refusal is told";
  if (has_xdp()) expect_from_each(100);
  queue_->joint().allow_xdp_sockets(false);
  add_to_each(200);
  EXPECT_EQ(flush(), senders_.size());
  ASSERT_TRUE(run("nft delete table netdev t"));
  queue_->joint().allow_xdp_sockets(true);
  add_to_each(300);
  EXPECT_EQ(flush(), 0U);
  expect_from_each(300);
  EXPECT_TRUE(nothing_has_come());
}

INSTANTIATE_TEST_SUITE_P(Families, JointSenderTest,
                         testing::Combine(testing::Values(Family::ipv4, Family::ipv6),
                                          testing::Values(Way::packet_socket, Way::xdp_socket)),
                         [](const auto& each) {
                           const bool is_v4 = std::get<Family>(each.param) == Family::ipv4;
                           const bool is_xdp = std::get<Way>(each.param) == Way::xdp_socket;
                           return std::string(is_v4 ? "Ipv4" : "Ipv6") + (is_xdp ? "Xdp" : "Packet");
                         });

// Nothing but AF_XDP sockets gets through.
class XdpFramesTest : public JointSenderTest {
 protected:
  void SetUp() override {
    JointSenderTest::SetUp();
    if (IsSkipped()) return;
    const int bytes = 8 * 1024 * 1024;
    ASSERT_EQ(setsockopt(receiver_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes), 0);
  }
  static void leave_xdp_alone() {
    ASSERT_TRUE(drop_what_the_kernel_sends());
    ASSERT_TRUE(drop_what_packet_sockets_send());
  }
  DatagramQueue another_of_the_interface() {
    std::vector<RawSender> raw;
    raw.push_back(std::move(*RawSender::open(local(), kSlots)));
    std::vector<XdpSender> xdp;
    xdp.push_back(std::move(*XdpSender::open(xdp_queue_, 0, kSlots)));
    DatagramQueue queue(
        kSlots, JointSender(std::move(raw), PacketSender::open(kSlots), NextHops::open(), std::move(xdp)));
    queue.joint().allow_packet_socket(true);
    queue.joint().allow_xdp_sockets(true);
    return queue;
  }
  // The kernel's turn.
  void meet_with(DatagramQueue& queue) {
    const Buffer one(1);
    queue.add(senders_[0].get(), *bound_address(senders_[0]), *bound_address(receiver_), one);
    ASSERT_EQ(queue.flush(now_), 0U);
    ASSERT_EQ(receive().bytes.size(), 1U);
  }
  // So many that they go by themselves, not as one message, of different sizes and each another byte.
  void expect_rounds_arrive(DatagramQueue& queue, std::size_t rounds) {
    for (std::size_t round = 0; round < rounds; ++round) {
      payloads_.clear();
      for (std::size_t i = 0; i < kSlots; ++i) {
        payloads_.push_back(std::make_unique<Buffer>(numbered(100 + round + 10 * i, round + i)));
        queue.add(senders_[0].get(), *bound_address(senders_[0]), *bound_address(receiver_),
                  *payloads_.back());
      }
      ASSERT_EQ(queue.flush(now_), 0U) << "round " << round;
      for (const auto& payload : payloads_) ASSERT_EQ(receive().bytes, *payload) << "round " << round;
    }
    EXPECT_TRUE(nothing_has_come());
  }
};

TEST_P(XdpFramesTest, AWholeRoundLeavesInItsOrderEachOnce) {
  meet();
  leave_xdp_alone();
  expect_rounds_arrive(*queue_, 50);
}

// Whoever is told by the kernel of a frame, it comes back to its sender.
TEST_P(XdpFramesTest, SendersOfOneInterfaceInTwoThreadsHaveFramesOfTheirOwn) {
  constexpr std::size_t kRounds = 300;
  meet();
  DatagramQueue other = another_of_the_interface();
  meet_with(other);
  leave_xdp_alone();
  const auto send = [&](DatagramQueue& queue, const Socket& sender) {
    for (std::size_t round = 0; round < kRounds; ++round) {
      const Buffer one = numbered(100 + round, round);
      const Buffer two = numbered(700 + round, round + 1);
      queue.add(sender.get(), *bound_address(sender), *bound_address(receiver_), one);
      queue.add(sender.get(), *bound_address(sender), *bound_address(receiver_), two);
      EXPECT_EQ(queue.flush(now_), 0U);
    }
  };
  std::thread thread([&] { send(other, senders_[1]); });
  send(*queue_, senders_[0]);
  thread.join();
  std::array<std::size_t, 2> arrived{};
  for (std::size_t i = 0; i < 4 * kRounds; ++i) {
    const Arrived each = receive();
    const std::size_t sender = each.from == bound_address(senders_[0]) ? 0 : 1;
    const std::size_t number = arrived[sender]++;
    const std::size_t round = number / 2;
    ASSERT_EQ(each.bytes, number % 2 == 0 ? numbered(100 + round, round) : numbered(700 + round, round + 1));
  }
  EXPECT_EQ(arrived[0], arrived[1]);
  EXPECT_TRUE(nothing_has_come());
}

// The kernel drops frames then, and tells so in another way than else.
TEST_P(XdpFramesTest, AreNotMixedUpAfterTheCarrierWasLost) {
  meet();
  networks_.enter_peers();
  ASSERT_TRUE(run("ip link set peers down"));
  networks_.enter_server();
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t each = 0; each < 20; ++each) add(senders_[0], 100 + each);
    (void)flush();
    now_ += std::chrono::milliseconds(1100);  // the interface is left alone for a second
  }
  networks_.enter_peers();
  ASSERT_TRUE(run("ip link set peers up") &&
              (is_v4() || run("ip address add 2001:db8:2::9/64 dev peers nodad")));
  networks_.enter_server();
  meet_again();
  leave_xdp_alone();
  expect_rounds_arrive(*queue_, 50);
}

class XdpFewFramesTest : public XdpFramesTest {
 protected:
  std::size_t frames_each() const override { return 4; }
};

// What finds no frame goes by packet socket, and nothing overtakes it.
TEST_P(XdpFewFramesTest, NothingIsOvertaken) {
  meet();
  ASSERT_TRUE(drop_what_the_kernel_sends());
  expect_rounds_arrive(*queue_, 50);
  ASSERT_TRUE(drop_what_packet_sockets_send());
  add_to_each(100);
  EXPECT_EQ(flush(), 0U) << "the next round has frames again";
  expect_from_each(100);
}

INSTANTIATE_TEST_SUITE_P(Families, XdpFewFramesTest,
                         testing::Combine(testing::Values(Family::ipv4, Family::ipv6),
                                          testing::Values(Way::xdp_socket)),
                         [](const auto& each) {
                           return std::get<Family>(each.param) == Family::ipv4 ? "Ipv4" : "Ipv6";
                         });

INSTANTIATE_TEST_SUITE_P(Families, XdpFramesTest,
                         testing::Combine(testing::Values(Family::ipv4, Family::ipv6),
                                          testing::Values(Way::xdp_socket)),
                         [](const auto& each) {
                           return std::get<Family>(each.param) == Family::ipv4 ? "Ipv4" : "Ipv6";
                         });

}  // namespace
}  // namespace offhook::io
