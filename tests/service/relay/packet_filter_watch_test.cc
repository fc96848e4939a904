#include "service/relay/packet_filter_watch.h"

#include <thread>

#include "io/loop/clock.h"
#include "io/net/own_network.h"
#include "io/net/packet_filter.h"

namespace offhook::relay {
namespace {

class PacketFilterWatchTest : public io::OwnNetworkTest {
 protected:
  void SetUp() override {
    OwnNetworkTest::SetUp();
    if (IsSkipped()) return;
    if (const std::string found = io::packet_filter_in_the_way(); !found.empty()) GTEST_SKIP() << found;
  }
};

// Waits for what the watch tells, but not for ever.
bool becomes(const std::atomic<bool>& allowed, bool wanted) {
  for (const Instant until = io::read_now().monotonic + std::chrono::seconds(20); allowed != wanted;) {
    if (io::read_now().monotonic > until) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_F(PacketFilterWatchTest, FollowsThePacketFilterOfItsNetwork) {
  SendingAllowed allowed;
  const PacketFilterWatch watch(allowed, {});
  EXPECT_TRUE(allowed.packet_sockets) << "right from the beginning";
  ASSERT_TRUE(io::run("nft 'add table inet t; add chain inet t o { type filter hook output priority 0; }'"));
  EXPECT_TRUE(becomes(allowed.packet_sockets, false));
  ASSERT_TRUE(io::run("nft delete table inet t"));
  EXPECT_TRUE(becomes(allowed.packet_sockets, true));
  EXPECT_FALSE(allowed.xdp_sockets) << "nobody has asked";
}

TEST_F(PacketFilterWatchTest, SeesWhatWasThereBefore) {
  ASSERT_TRUE(io::run("nft 'add table ip t; add chain ip t p { type nat hook postrouting priority 0; }'"));
  SendingAllowed allowed{.packet_sockets = true, .xdp_sockets = false};
  const PacketFilterWatch watch(allowed, {});
  EXPECT_FALSE(allowed.packet_sockets);
}

TEST_F(PacketFilterWatchTest, FollowsTheQueuesOfItsNetworkWhereItIsAsked) {
  ASSERT_TRUE(io::run("ip link add here type veth peer name there && ip link set here up"));
  ASSERT_TRUE(io::run("nft 'add table inet t; add chain inet t o { type filter hook output priority 0; }'"));
  SendingAllowed allowed;
  PacketFilterWatch watch(allowed, {.packet_sockets_always = true, .xdp_sockets = true});
  EXPECT_TRUE(allowed.packet_sockets) << "whatever filters";
  EXPECT_TRUE(allowed.xdp_sockets) << "right from the beginning";
  ASSERT_TRUE(io::run("tc qdisc add dev here root pfifo"));
  EXPECT_TRUE(becomes(allowed.xdp_sockets, false));
  ASSERT_TRUE(io::run("tc qdisc delete dev here root"));
  EXPECT_TRUE(becomes(allowed.xdp_sockets, true));
}

}  // namespace
}  // namespace offhook::relay
