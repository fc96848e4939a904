#include "service/relay/xdp_senders.h"

#include <net/if.h>

#include "io/net/own_network.h"
#include "io/net/xdp_queue.h"

namespace offhook::relay {
namespace {

constexpr std::size_t kLimit = 64;

class XdpSendersTest : public io::OwnNetworkTest {
 protected:
  void SetUp() override {
    OwnNetworkTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(
        io::run("ip link set lo up && ip link add here type veth peer name there && ip link set here up && "
                "ip link set there up && ip address add 192.0.2.1/24 dev here && "
                "ip address add 198.51.100.1/24 dev here && ip address add 203.0.113.1/24 dev there"));
    if (!io::XdpQueue::open(static_cast<int>(if_nametoindex("here")), 1, kLimit))
      GTEST_SKIP() << "no AF_XDP sockets";
  }
  static std::vector<std::vector<io::XdpSender>> open(std::size_t shards) {
    return open_xdp_senders({*Ip::parse("127.0.0.1"), *Ip::parse("192.0.2.1"), *Ip::parse("198.51.100.1")},
                            shards, kLimit);
  }
};

TEST_F(XdpSendersTest, EachShardHasOneForEachInterfaceOfItsAddresses) {
  const auto senders = open(3);
  ASSERT_EQ(senders.size(), 3U);
  for (const auto& of_shard : senders) {
    ASSERT_EQ(of_shard.size(), 1U) << "none for loopback, one for two addresses";
    EXPECT_EQ(of_shard[0].interface(), static_cast<int>(if_nametoindex("here")));
  }
}

TEST_F(XdpSendersTest, ThereIsNoneWhereAnotherProgramHasTheQueue) {
  const auto held = open(1);
  ASSERT_EQ(held.front().size(), 1U);
  for (const auto& of_shard : open(2)) EXPECT_TRUE(of_shard.empty());
}

TEST_F(XdpSendersTest, TheQueueOfTheLastRunIsWaitedFor) {
  for (int run = 0; run < 20; ++run) {
    const auto senders = open(2);
    for (const auto& of_shard : senders) ASSERT_EQ(of_shard.size(), 1U) << "run " << run;
  }
}

}  // namespace
}  // namespace offhook::relay
