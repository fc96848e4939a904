// A next hop that was looked up serves its route for a while, and only packets that the lookup was for.

#include <gtest/gtest.h>

#include "route_stage.h"

namespace offhook::test {
namespace {

using io::RelayedChannel;
using io::RouteHook;
using Counts = std::map<std::string, std::uint64_t>;

constexpr std::size_t kSmall = 100;
constexpr std::size_t kLarge = 1000;

class NextHopTest : public testing::TestWithParam<RouteHook> {
 protected:
  void SetUp() override {
    if (const auto why = unable_to_run(GetParam())) GTEST_SKIP() << *why;
    stage_.emplace(GetParam());
    ASSERT_TRUE(stage_->ready());
    stage_->install(channel_);
    send(kSmall);
    ASSERT_EQ(stage_->counts(), Counts({{"sent_across", 1}}));
    // From now on every lookup says so.
    set_loopback_forwarding(false);
  }
  void send(std::size_t payload_bytes, std::uint8_t traffic_class = 0) {
    Frame frame = from_client(channel_, patterned(payload_bytes));
    frame.traffic_class = traffic_class;
    ASSERT_TRUE(stage_->run(bytes_of(frame)));
  }

  const RelayedChannel channel_ = channel_of(Family::ipv4, Family::ipv4);
  std::optional<Stage> stage_;
};

// On a machine that stands still for longer than a hop serves, it is looked up again: another try.
TEST_P(NextHopTest, ServesWhatTheLookupWasFor) {
  const Counts all_sent{{"sent_across", 3}};
  for (int tries = 0; tries < 20 && stage_->counts() != all_sent; ++tries) {
    stage_->reset();
    stage_->install(channel_);
    send(kSmall);
    set_loopback_forwarding(false);
    send(kSmall);
    send(kSmall - 1);
  }
  EXPECT_EQ(stage_->counts(), all_sent);
}

TEST_P(NextHopTest, IsLookedUpForALargerPacketAndAnotherTrafficClass) {
  send(kLarge);
  send(kSmall, 0xB8);
  EXPECT_EQ(stage_->counts(), Counts({{"sent_across", 1}, {"forwarding_off", 2}}));
}

TEST_P(NextHopTest, IsLookedUpWhenTheRouteIsRefreshed) {
  stage_->install(channel_);
  send(kSmall);
  EXPECT_EQ(stage_->counts(), Counts({{"sent_across", 1}, {"forwarding_off", 1}}));
}

TEST_P(NextHopTest, IsLookedUpAfterItsTime) {
  const auto entry = io::route_to_peer(channel_);
  route_abi::route known{};
  ASSERT_EQ(bpf_map_lookup_elem(stage_->program().routes_fd(), &entry.key, &known), 0);
  // A tick is 2^20 ns; what was known is of long ago, or of far ahead, as after the ticks have begun anew.
  for (const int ticks : {-1000, 1000}) {
    route_abi::route other = known;
    other.hop_validity += static_cast<std::uint64_t>(ticks) << 32U;
    ASSERT_EQ(bpf_map_update_elem(stage_->program().routes_fd(), &entry.key, &other, BPF_EXIST), 0);
    send(kSmall);
  }
  EXPECT_EQ(stage_->counts(), Counts({{"sent_across", 1}, {"forwarding_off", 2}}));
  ASSERT_EQ(bpf_map_update_elem(stage_->program().routes_fd(), &entry.key, &known, BPF_EXIST), 0);
}

INSTANTIATE_TEST_SUITE_P(Hooks, NextHopTest, testing::Values(RouteHook::xdp, RouteHook::tc),
                         [](const auto& hook) { return hook.param == RouteHook::xdp ? "Xdp" : "Tc"; });

}  // namespace
}  // namespace offhook::test
