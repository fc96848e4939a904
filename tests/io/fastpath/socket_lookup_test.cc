// Which socket the kernel gives a datagram to, in a network of the test's own.

#include "io/fastpath/socket_lookup.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <array>

#include "io/net/datagram_batch.h"
#include "io/net/datagram_queue.h"
#include "io/net/icmp_socket.h"
#include "io/net/socket.h"

namespace offhook::io {
namespace {

constexpr int kPatienceMs = 5000;
// Below those that the kernel gives to sockets that ask for none.
constexpr std::uint16_t kFirst = 20000;
constexpr std::uint16_t kMiddle = 20004;
constexpr std::uint16_t kLast = 20009;

const Ip kOwn4 = *Ip::parse("127.0.0.1");
const Ip kOther4 = *Ip::parse("127.0.0.2");
const Ip kNotServed4 = *Ip::parse("127.0.0.3");
const Ip kOwn6 = *Ip::parse("::1");
const std::vector<Ip> kServed = {kOwn4, kOther4, kOwn6};

// A namespace for the whole process, gone with it.
bool enter_own_network() {
  static const bool entered = [] {
    if (unshare(CLONE_NEWNET) != 0) return false;
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{};
    std::string_view("lo").copy(loopback.ifr_name, IFNAMSIZ - 1);
    loopback.ifr_flags = IFF_UP | IFF_RUNNING;
    return socket && ioctl(socket.get(), SIOCSIFFLAGS, &loopback) == 0;
  }();
  return entered;
}

// Where the process may have no program the test cannot run; any other refusal is a fault of ours.
bool may_not_load(const std::string& error) {
  return error.find("lets this process load no program") != std::string::npos ||
         error.find("has no BPF") != std::string::npos;
}

class SocketLookupTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!enter_own_network()) GTEST_SKIP() << "no network namespace (root is needed)";
    auto started = SocketLookup::start({kServed, kFirst, kLast, 2});
    if (!started && may_not_load(started.error())) GTEST_SKIP() << started.error();
    ASSERT_TRUE(started) << started.error();
    lookup_ = std::move(*started);
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      for (unsigned shard = 0; shard < 2; ++shard) {
        auto opened = open_shared_receiver(family);
        ASSERT_TRUE(opened);
        auto icmp_errors = open_icmp_socket(family, lookup_->icmp_filter_fd(family));
        ASSERT_TRUE(icmp_errors);
        ASSERT_TRUE(lookup_->set_sockets(shard, family, opened->get(), icmp_errors->get()));
        shared_.push_back(std::move(*opened));
        icmp_errors_.push_back(std::move(*icmp_errors));
      }
    }
  }
  const Socket& shared(unsigned shard, Family family) const {
    return shared_[(family == Family::ipv6 ? 2 : 0) + shard];
  }
  const Socket& icmp_errors(unsigned shard, Family family) const {
    return icmp_errors_[(family == Family::ipv6 ? 2 : 0) + shard];
  }
  static void send(const Address& to, std::size_t count = 1) {
    const Socket sender = *open_relay_socket({to.family() == Family::ipv4 ? kOwn4 : kOwn6, 0});
    const Buffer payload(10, 1);
    for (std::size_t sent = 0; sent < count;) {
      DatagramQueue queue(64);
      for (int i = 0; i < 64 && sent < count; ++i, ++sent) queue.add(sender.get(), {}, to, payload);
      ASSERT_EQ(queue.flush({}), 0U);
    }
  }
  // Whether a datagram waits there, and none at the other one.
  static bool comes_to(const Socket& here, const Socket& not_there) {
    std::array<pollfd, 2> wanted{pollfd{here.get(), POLLIN, 0}, pollfd{not_there.get(), POLLIN, 0}};
    return poll(wanted.data(), wanted.size(), kPatienceMs) == 1 && wanted[0].revents == POLLIN;
  }
  static std::size_t take_all(const Socket& socket) {
    DatagramBatch batch(64, 0, 0);
    std::size_t all = 0;
    for (bool more = true; more; batch.clear()) {
      const auto received = batch.receive(socket.get(), 64);
      all += received.datagrams;
      more = received.datagrams > 0;
    }
    return all;
  }
  void expect_at(const Socket& socket, const Socket& not_there, const Address& to) {
    send(to);
    EXPECT_TRUE(comes_to(socket, not_there)) << to.text();
    EXPECT_EQ(take_all(socket), 1U);
    (void)take_all(not_there);
  }

  std::unique_ptr<SocketLookup> lookup_;
  std::vector<Socket> shared_;
  std::vector<Socket> icmp_errors_;
};

TEST_F(SocketLookupTest, APortIsTheShardsFromWhenItIsGivenUntilItIsTakenBack) {
  for (std::size_t address = 0; address < kServed.size(); ++address) {
    for (const std::uint16_t port : {kFirst, kMiddle, kLast}) {
      const Address bound{kServed[address], port};
      const Family family = bound.family();
      const Socket own = *open_relay_socket(bound);
      expect_at(own, shared(1, family), bound);
      lookup_->give(address, port, 1);
      expect_at(shared(1, family), own, bound);
      lookup_->give(address, port, 0);
      expect_at(shared(0, family), own, bound);
      lookup_->take_back(address, port);
      expect_at(own, shared(0, family), bound);
    }
  }
}

TEST_F(SocketLookupTest, TellsWhichAddressEachDatagramWasFor) {
  for (const auto& [address, other] : {std::pair<std::size_t, std::size_t>{0, 1}, {2, 2}}) {
    const Family family = kServed[address].family();
    const Address first{kServed[address], kFirst};
    const Address second{kServed[other], kLast};
    lookup_->give(address, kFirst, 0);
    lookup_->give(other, kLast, 0);
    send(first);
    send(second);
    DatagramBatch batch(4, 0, 0);
    while (batch.size() < 2) {
      pollfd wanted{shared(0, family).get(), POLLIN, 0};
      ASSERT_EQ(poll(&wanted, 1, kPatienceMs), 1);
      (void)batch.receive(shared(0, family).get(), 4);
    }
    EXPECT_EQ(batch.destination(0), first);
    EXPECT_EQ(batch.destination(1), second);
  }
}

// Of each datagram of a burst, too, which the kernel hands over as one message.
TEST_F(SocketLookupTest, TellsWhichAddressABurstWasFor) {
  const Address to{kOwn4, kFirst};
  lookup_->give(0, kFirst, 0);
  send(to, 20);
  DatagramBatch batch(64, 0, 0);
  while (batch.size() < 20) {
    pollfd wanted{shared(0, Family::ipv4).get(), POLLIN, 0};
    ASSERT_EQ(poll(&wanted, 1, kPatienceMs), 1);
    (void)batch.receive(shared(0, Family::ipv4).get(), 64);
  }
  EXPECT_GT(batch.free_slots(), 44U) << "they came one by one";
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(batch.destination(i), to);
}

TEST_F(SocketLookupTest, NobodyElsesPortIsTouched) {
  lookup_->give(0, kFirst, 0);
  const Socket& given = shared(0, Family::ipv4);
  for (const Address& bound :
       {Address{kNotServed4, kFirst}, Address{kOther4, kFirst}, Address{kOwn4, kFirst - 1},
        Address{kOwn4, kLast + 1}, Address{kOwn4, kFirst + 1}}) {
    const Socket own = *open_relay_socket(bound);
    expect_at(own, given, bound);
  }
}

// The kernel asks for sockets that listen at TCP ports, too.
TEST_F(SocketLookupTest, TcpPassesItBy) {
  lookup_->give(0, kFirst, 0);
  const Socket listener = *open_tcp_listener({kOwn4, kFirst}, PortSharing::exclusive);
  const Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kFirst);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
}

// A shard's raw socket hears of what was sent from its ports, and of nothing else.
TEST_F(SocketLookupTest, TheIcmpFilterPassesErrorsOfTheShardsPorts) {
  for (const std::size_t address : {0U, 2U}) {
    const Ip& ip = kServed[address];
    const Socket nobodys = *open_relay_socket({ip, kFirst});
    const Socket anothers = *open_relay_socket({ip, kMiddle});
    const Socket own = *open_relay_socket({ip, kLast});
    lookup_->give(address, kMiddle, 0);
    lookup_->give(address, kLast, 1);
    const Address closed{ip, kFirst + 1};
    for (const Socket* sender : {&nobodys, &anothers, &own})
      ASSERT_TRUE(send_datagram(sender->get(), closed, Buffer(10, 1)));
    const Socket& errors = icmp_errors(1, ip.family());
    pollfd wanted{errors.get(), POLLIN, 0};
    ASSERT_EQ(poll(&wanted, 1, kPatienceMs), 1);
    Buffer space(kIcmpBytesLimit);
    const auto message = take_icmp_message(errors, space);
    ASSERT_TRUE(message);
    // The ports of the quoted datagram, behind its header and that of ICMP.
    const std::size_t ports_at = ip.is_v4() ? 20 + 8 + 20 : 8 + 40;
    ASSERT_GT(message->size(), ports_at + 4);
    EXPECT_EQ(Reader(message->subspan(ports_at)).u16(), kLast);
    EXPECT_FALSE(take_icmp_message(errors, space)) << "the others were sent before";
  }
}

TEST(SocketLookup, ServesAsManyAddressesAsItSays) {
  if (!enter_own_network()) GTEST_SKIP() << "no network namespace (root is needed)";
  std::vector<Ip> many;
  for (unsigned i = 0; i < lookup_abi::lookup_addresses_limit; ++i) many.push_back(Ip::v4(0x7F000001U + i));
  auto lookup = SocketLookup::start({many, kFirst, kLast, 1});
  if (!lookup && may_not_load(lookup.error())) GTEST_SKIP() << lookup.error();
  ASSERT_TRUE(lookup) << lookup.error();
  const Socket all = *open_shared_receiver(Family::ipv4);
  ASSERT_TRUE((*lookup)->set_sockets(0, Family::ipv4, all.get(), all.get()));
  (*lookup)->give(many.size() - 1, kLast, 0);
  const Address last{many.back(), kLast};
  const Socket sender = *open_relay_socket({kOwn4, 0});
  ASSERT_TRUE(send_datagram(sender.get(), last, Buffer(10, 1)));
  DatagramBatch batch(1, 0, 0);
  pollfd wanted{all.get(), POLLIN, 0};
  ASSERT_EQ(poll(&wanted, 1, kPatienceMs), 1);
  ASSERT_EQ(batch.receive(all.get(), 1).datagrams, 1U);
  EXPECT_EQ(batch.destination(0), last);
}

TEST_F(SocketLookupTest, WithoutASocketThePortsOwnTakesThem) {
  const Address bound{kOwn4, kFirst};
  const Socket own = *open_relay_socket(bound);
  lookup_->give(0, kFirst, 0);
  shared_.clear();  // closed: the kernel forgets them
  send(bound);
  pollfd wanted{own.get(), POLLIN, 0};
  EXPECT_EQ(poll(&wanted, 1, kPatienceMs), 1);
}

TEST_F(SocketLookupTest, EndsWithItself) {
  const Address bound{kOwn4, kFirst};
  const Socket own = *open_relay_socket(bound);
  lookup_->give(0, kFirst, 0);
  lookup_.reset();
  expect_at(own, shared(0, Family::ipv4), bound);
}

TEST_F(SocketLookupTest, SeveralServersEachHaveTheirPorts) {
  auto second = SocketLookup::start({kServed, kFirst, kLast, 1});
  ASSERT_TRUE(second);
  const Socket theirs = *open_shared_receiver(Family::ipv4);
  ASSERT_TRUE((*second)->set_sockets(0, Family::ipv4, theirs.get(), theirs.get()));
  lookup_->give(0, kFirst, 0);
  (*second)->give(0, kLast, 0);
  expect_at(shared(0, Family::ipv4), theirs, {kOwn4, kFirst});
  expect_at(theirs, shared(0, Family::ipv4), {kOwn4, kLast});
}

TEST_F(SocketLookupTest, SaysHowManyAddressesItServes) {
  const std::vector<Ip> too_many(lookup_abi::lookup_addresses_limit + 1, kOwn4);
  const auto refused = SocketLookup::start({too_many, kFirst, kLast, 1});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("32 relay addresses at most"), std::string::npos) << refused.error();
}

}  // namespace
}  // namespace offhook::io
