// What leaves as one message and arrives as datagrams. A receiver with UDP_GRO sees on loopback what was sent
// as one.

#include "io/net/datagram_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <string>
#include <tuple>

#include "io/net/socket.h"

namespace offhook::io {
namespace {

constexpr int kPatienceMs = 5000;
constexpr Instant kNow{};
using Sizes = std::vector<std::size_t>;

Address loopback(Family family) { return {*Ip::parse(family == Family::ipv4 ? "127.0.0.1" : "::1"), 0}; }

// Its bytes tell which one it is.
Buffer numbered(std::size_t size, std::size_t number) {
  return Buffer(size, static_cast<std::uint8_t>(number + 1));
}

// One read: several datagrams if they were sent as one and this socket takes them so.
struct Arrived {
  Buffer bytes;
  std::size_t segment_bytes = 0;  // 0: one datagram
};

class Receiver {
 public:
  explicit Receiver(Family family, bool merged = false)
      : socket_(*open_udp_listener(loopback(family), PortSharing::exclusive)),
        address_(*bound_address(socket_)) {
    const int on = merged ? 1 : 0;
    EXPECT_EQ(setsockopt(socket_.get(), SOL_UDP, UDP_GRO, &on, sizeof on), 0);
  }
  const Address& address() const { return address_; }

  Arrived next() {
    pollfd wanted{socket_.get(), POLLIN, 0};
    if (poll(&wanted, 1, kPatienceMs) != 1) return {};
    Arrived arrived{Buffer(65535), 0};
    iovec part{arrived.bytes.data(), arrived.bytes.size()};
    alignas(cmsghdr) std::array<std::uint8_t, 64> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t bytes = recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (bytes < 0) return {};
    arrived.bytes.resize(static_cast<std::size_t>(bytes));
    for (const cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
         each = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(each))) {
      if (each->cmsg_level != SOL_UDP || each->cmsg_type != UDP_GRO) continue;
      int segment = 0;
      std::memcpy(&segment, CMSG_DATA(each), sizeof segment);
      arrived.segment_bytes = static_cast<std::size_t>(segment);
    }
    return arrived;
  }
  bool is_empty() {
    std::uint8_t byte = 0;
    return recv(socket_.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

 private:
  Socket socket_;
  Address address_;
};

// A network namespace with nothing but a loopback of IPv6's least MTU; the one before comes back at the end,
// for the tests behind this one.
class NarrowLoopback {
 public:
  NarrowLoopback() : before_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    is_there_ = before_ && unshare(CLONE_NEWNET) == 0 && std::system("ip link set lo mtu 1280 up") == 0;
  }
  ~NarrowLoopback() {
    if (!before_) return;
    EXPECT_EQ(setns(before_.get(), CLONE_NEWNET), 0);
  }
  NarrowLoopback(const NarrowLoopback&) = delete;
  NarrowLoopback& operator=(const NarrowLoopback&) = delete;
  bool is_there() const { return is_there_; }

 private:
  Fd before_;
  bool is_there_ = false;
};

// With raw sockets or without: what arrives is the same.
class DatagramQueueTest : public testing::TestWithParam<std::tuple<Family, bool>> {
 protected:
  static Family family() { return std::get<0>(GetParam()); }
  static JointSender joint_sender() {
    if (!std::get<1>(GetParam())) return {};
    std::vector<RawSender> senders;
    auto sender = RawSender::open(loopback(family()).ip, 64);
    if (sender) senders.push_back(std::move(*sender));
    return {std::move(senders), std::nullopt, std::nullopt};
  }
  void SetUp() override {
    if (std::get<1>(GetParam()) && joint_sender().fds().empty())
      GTEST_SKIP() << "no raw sockets (root is needed)";
  }
  // Adds a datagram of each size, numbered from 0.
  void add(const Receiver& to, const Sizes& sizes) {
    for (const std::size_t size : sizes) {
      payloads_.push_back(std::make_unique<Buffer>(numbered(size, count_++)));
      queue_.add(sender_.get(), from_, to.address(), *payloads_.back());
    }
  }
  std::size_t flush() { return queue_.flush(kNow); }
  const Socket& sender() const { return sender_; }

 private:
  Socket sender_ = *open_relay_socket(loopback(family()));
  const Address from_ = *bound_address(sender_);
  DatagramQueue queue_{64, joint_sender()};
  std::vector<std::unique_ptr<Buffer>> payloads_;
  std::size_t count_ = 0;
};

TEST_P(DatagramQueueTest, ABurstLeavesAsOneAndArrivesAsItWasAdded) {
  const Sizes sizes = {172, 172, 172, 172, 90};
  Receiver apart(family());
  add(apart, sizes);
  ASSERT_EQ(flush(), 0U);
  for (std::size_t i = 0; i < sizes.size(); ++i) EXPECT_EQ(apart.next().bytes, numbered(sizes[i], i));
  EXPECT_TRUE(apart.is_empty());

  Receiver merged(family(), true);
  add(merged, sizes);
  ASSERT_EQ(flush(), 0U);
  const Arrived arrived = merged.next();
  EXPECT_EQ(arrived.segment_bytes, 172U);
  EXPECT_EQ(arrived.bytes.size(), 4U * 172 + 90);
}

// What each message holds, by the bytes that arrive at once.
TEST_P(DatagramQueueTest, AMessageEndsWhereTheKernelCouldNotCutItRight) {
  struct Case {
    const char* description;
    Sizes added;
    Sizes arrived;
  };
  const std::vector<Case> cases = {
      {"a larger one begins the next", {100, 100, 101, 101}, {200, 202}},
      {"a smaller one is the last", {100, 99, 100}, {199, 100}},
      {"nothing in it cannot be cut", {100, 0, 100, 100}, {100, 0, 200}},
      {"nothing at all", {0, 0}, {0, 0}},
      {"one byte", {1, 1, 1, 1}, {4}},
      {"as large as Ethernet takes", Sizes(4, 1452), {5808}},
      {"too large for it", {1453, 1453}, {1453, 1453}},
      {"what may need fragments does not follow", {1453, 100, 100}, {1453, 200}},
      {"an IP packet holds no more", Sizes(46, 1452), {45 * 1452, 1452}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.description);
    Receiver receiver(family(), true);
    add(receiver, each.added);
    ASSERT_EQ(flush(), 0U);
    Sizes arrived;
    while (arrived.size() < each.arrived.size()) arrived.push_back(receiver.next().bytes.size());
    EXPECT_EQ(arrived, each.arrived);
    EXPECT_TRUE(receiver.is_empty());
  }
}

TEST_P(DatagramQueueTest, EachDestinationGetsItsOwn) {
  Receiver first(family(), true);
  Receiver second(family(), true);
  add(first, {50, 50});
  add(second, {50});
  add(first, {50});
  ASSERT_EQ(flush(), 0U);
  Buffer both = numbered(50, 0);
  const Buffer next = numbered(50, 1);
  both.insert(both.end(), next.begin(), next.end());
  EXPECT_EQ(first.next().bytes, both);
  EXPECT_EQ(first.next().bytes, numbered(50, 3));
  EXPECT_EQ(second.next().bytes, numbered(50, 2));
}

// In the order in which they were added, whatever stands between them.
TEST_P(DatagramQueueTest, WhatGoesOneWayIsBroughtTogether) {
  std::vector<std::unique_ptr<Receiver>> receivers;
  for (int i = 0; i < 16; ++i) receivers.push_back(std::make_unique<Receiver>(family(), true));
  for (std::size_t i = 0; i < 4; ++i) {
    for (const auto& each : receivers) add(*each, {i < 3 ? 100U : 60U});
  }
  ASSERT_EQ(flush(), 0U);
  for (std::size_t i = 0; i < receivers.size(); ++i) {
    Buffer expected;
    for (std::size_t round = 0; round < 4; ++round) {
      const Buffer each = numbered(round < 3 ? 100 : 60, round * receivers.size() + i);
      expected.insert(expected.end(), each.begin(), each.end());
    }
    EXPECT_EQ(receivers[i]->next().bytes, expected);
  }
}

// The others of the same queue, too, arrive whole and in their order.
TEST_P(DatagramQueueTest, FlowsOfManyAndOfFewArriveBesideEachOther) {
  std::vector<std::unique_ptr<Receiver>> receivers;
  for (int i = 0; i < 9; ++i) receivers.push_back(std::make_unique<Receiver>(family()));
  std::vector<std::vector<std::size_t>> expected(receivers.size());
  std::size_t number = 0;
  // The i-th gets i of them; each round one more for all that are not done.
  for (std::size_t round = 0; round < receivers.size(); ++round) {
    for (std::size_t i = round; i < receivers.size(); ++i) {
      add(*receivers[i], {80});
      expected[i].push_back(number++);
    }
  }
  ASSERT_EQ(flush(), 0U);
  for (std::size_t i = 0; i < receivers.size(); ++i) {
    for (const std::size_t each : expected[i]) EXPECT_EQ(receivers[i]->next().bytes, numbered(80, each));
    EXPECT_TRUE(receivers[i]->is_empty());
  }
}

TEST_P(DatagramQueueTest, TwoSocketsToOneDestinationAreTwoWays) {
  const std::array<Socket, 2> senders = {*open_relay_socket(loopback(family())),
                                         *open_relay_socket(loopback(family()))};
  Receiver receiver(family(), true);
  DatagramQueue queue(8, joint_sender());
  std::vector<Buffer> payloads;
  for (std::size_t i = 0; i < 8; ++i) payloads.push_back(numbered(50, i % 2));
  for (std::size_t i = 0; i < 8; ++i)
    queue.add(senders[i % 2].get(), *bound_address(senders[i % 2]), receiver.address(), payloads[i]);
  ASSERT_EQ(queue.flush(kNow), 0U);
  for (const std::size_t sender : {0U, 1U}) EXPECT_EQ(receiver.next().bytes, numbered(200, sender));
}

// To bring fewer together does not pay.
TEST_P(DatagramQueueTest, ThreeAreLeftWhereTheyStand) {
  Receiver first(family(), true);
  Receiver second(family(), true);
  for (int i = 0; i < 3; ++i) {
    add(first, {50});
    add(second, {50});
  }
  ASSERT_EQ(flush(), 0U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(first.next().bytes, numbered(50, 2 * i));
    EXPECT_EQ(second.next().bytes, numbered(50, 2 * i + 1));
  }
}

// Of a socket that would be called for them alone, where others leave together.
TEST_P(DatagramQueueTest, AFewLeaveWithThoseOfOtherSockets) {
  const bool jointly = std::get<1>(GetParam());
  Receiver receiver(family(), true);
  add(receiver, {50, 50, 50});
  ASSERT_EQ(flush(), 0U);
  EXPECT_EQ(receiver.next().segment_bytes, jointly ? 0U : 50U);
}

// The socket reports the ICMP error that an earlier datagram drew, once.
TEST_P(DatagramQueueTest, AnErrorOfAnEarlierDatagramLosesNothing) {
  std::optional<Receiver> gone(family());
  add(*gone, {10});
  gone.reset();
  ASSERT_EQ(flush(), 0U);
  pollfd wanted{sender().get(), 0, 0};
  ASSERT_EQ(poll(&wanted, 1, kPatienceMs), 1);
  Receiver receiver(family(), true);
  add(receiver, {20, 20, 20, 20});
  ASSERT_EQ(flush(), 0U);
  EXPECT_EQ(receiver.next().bytes.size(), 80U);
}

// A device with a smaller MTU than Ethernet's: the kernel refuses the message, and each datagram is
// fragmented.
TEST_P(DatagramQueueTest, WhatDoesNotFitIntoAFrameIsSentAlone) {
  const NarrowLoopback narrow;
  if (!narrow.is_there()) GTEST_SKIP() << "no network namespace of its own (root and ip(8) are needed)";
  const Socket sender = *open_relay_socket(loopback(family()));
  Receiver receiver(family(), true);
  DatagramQueue queue(8, joint_sender());
  const Buffer large = numbered(1400, 0);
  const Buffer small = numbered(1000, 1);
  for (const Buffer* each : {&large, &large, &small, &small, &small})
    queue.add(sender.get(), *bound_address(sender), receiver.address(), *each);
  ASSERT_EQ(queue.flush(kNow), 0U);
  Sizes arrived;
  while (std::accumulate(arrived.begin(), arrived.end(), std::size_t{0}) < 5800 &&
         !std::ranges::count(arrived, 0U))
    arrived.push_back(receiver.next().bytes.size());
  EXPECT_EQ(arrived, (Sizes{1400, 1400, 1000, 2000}));
}

// A datagram alone that no frame takes is left to its socket, in its place.
TEST_P(DatagramQueueTest, OneThatTheRawSocketRefusesIsNotOvertaken) {
  const NarrowLoopback narrow;
  if (!narrow.is_there()) GTEST_SKIP() << "no network namespace of its own (root and ip(8) are needed)";
  const Socket sender = *open_relay_socket(loopback(family()));
  Receiver receiver(family());
  DatagramQueue queue(8, joint_sender());
  const std::vector<Buffer> payloads = {numbered(100, 0), numbered(1400, 1), numbered(101, 2)};
  for (const Buffer& each : payloads)
    queue.add(sender.get(), *bound_address(sender), receiver.address(), each);
  ASSERT_EQ(queue.flush(kNow), 0U);
  for (const Buffer& each : payloads) EXPECT_EQ(receiver.next().bytes, each);
}

INSTANTIATE_TEST_SUITE_P(FamiliesAndSockets, DatagramQueueTest,
                         testing::Combine(testing::Values(Family::ipv4, Family::ipv6), testing::Bool()),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param) == Family::ipv4 ? "Ipv4" : "Ipv6") +
                                  (std::get<1>(each.param) ? "Raw" : "");
                         });

}  // namespace
}  // namespace offhook::io
