#include "service/relay/packet_filter_watch.h"

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

TEST_F(PacketFilterWatchTest, FollowsThePacketFilterOfItsNetwork) {
  std::atomic<bool> allowed = false;
  const PacketFilterWatch watch(allowed);
  EXPECT_TRUE(allowed) << "right from the beginning";
  ASSERT_TRUE(io::run("nft 'add table inet t; add chain inet t o { type filter hook output priority 0; }'"));
  allowed.wait(true);
  EXPECT_FALSE(allowed);
  ASSERT_TRUE(io::run("nft delete table inet t"));
  allowed.wait(false);
  EXPECT_TRUE(allowed);
}

TEST_F(PacketFilterWatchTest, SeesWhatWasThereBefore) {
  ASSERT_TRUE(io::run("nft 'add table ip t; add chain ip t p { type nat hook postrouting priority 0; }'"));
  std::atomic<bool> allowed = true;
  const PacketFilterWatch watch(allowed);
  EXPECT_FALSE(allowed);
}

}  // namespace
}  // namespace offhook::relay
