// Datagrams of relay sockets that leave through a packet socket: what arrives is the same, whichever way they
// took. A packet filter that drops all that the kernel's IP sends tells the ways apart.

#include "io/net/joint_sender.h"

#include <gtest/gtest.h>
#include <poll.h>

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

class JointSenderTest : public testing::TestWithParam<Family> {
 protected:
  static Ip local() { return GetParam() == Family::ipv4 ? test::kServerForPeers4 : test::kServerForPeers6; }
  static Ip peer() { return GetParam() == Family::ipv4 ? test::kPeerHost4 : test::kPeerHost6; }

  void SetUp() override {
    if (!networks_.ready()) GTEST_SKIP() << "no networks of its own (root, ip(8) and ethtool(8) are needed)";
    networks_.enter_peers();
    receiver_ = std::move(*open_udp_listener({peer(), 0}, PortSharing::exclusive));
    networks_.enter_server();
    for (Socket& each : senders_) each = std::move(*open_relay_socket({local(), 0}));
    std::vector<RawSender> raw;
    raw.push_back(std::move(*RawSender::open(local(), kSlots)));
    queue_.emplace(kSlots, JointSender(std::move(raw), PacketSender::open(kSlots), NextHops::open()));
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
    ASSERT_EQ(receive().bytes.size(), 1U);
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
  static bool drop_what_the_kernel_sends() {
    return run(
        "nft 'add table inet t; add chain inet t o { type filter hook output priority 0; policy drop; }'");
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
  const bool is_v4 = GetParam() == Family::ipv4;
  const std::string route =
      is_v4 ? "ip route replace 198.51.100.0/24" : "ip -6 route replace 2001:db8:2::/64";
  ASSERT_TRUE(run(route + " dev peers mtu 1280"));
  meet();
  const std::size_t largest = is_v4 ? 1280 - 28 : 1280 - 48;
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

INSTANTIATE_TEST_SUITE_P(Families, JointSenderTest, testing::Values(Family::ipv4, Family::ipv6),
                         [](const auto& family) { return family.param == Family::ipv4 ? "Ipv4" : "Ipv6"; });

}  // namespace
}  // namespace offhook::io
