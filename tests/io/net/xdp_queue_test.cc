#include "io/net/xdp_queue.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/net/own_network.h"

namespace offhook::io {
namespace {

constexpr std::size_t kUsers = 2;
constexpr std::size_t kFramesEach = 8;

class XdpQueueTest : public OwnNetworkTest {
 protected:
  void SetUp() override {
    OwnNetworkTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(
        run("ip link add here type veth peer name there && ip link set here up && ip link set there up"));
    auto queue = open_queue();
    if (!queue) GTEST_SKIP() << "no AF_XDP sockets: " << std::strerror(queue.error());
    queue_ = std::move(*queue);
  }
  static Result<std::shared_ptr<XdpQueue>, int> open_queue() {
    return XdpQueue::open(static_cast<int>(if_nametoindex("here")), kUsers, kFramesEach);
  }
  // A frame of zeros, which the far end drops.
  static void send(XdpQueue::Sender& sender, std::uint32_t frame) {
    const std::uint32_t at = sender.ring.produced();
    sender.ring.entry<xdp_desc>(at) = {.addr = XdpQueue::start_of_frame(frame), .len = 60, .options = 0};
    sender.ring.set_produced(at + 1);
    ASSERT_EQ(sendto(sender.socket.get(), nullptr, 0, MSG_DONTWAIT, nullptr, 0), 0) << std::strerror(errno);
    ASSERT_EQ(sender.ring.consumed(), at + 1);
  }
  std::vector<std::uint32_t> reclaimed(std::size_t user) {
    std::vector<std::uint32_t> frames;
    queue_->reclaim(user, frames);
    return frames;
  }

  std::shared_ptr<XdpQueue> queue_;
};

TEST_F(XdpQueueTest, FramesComeBackToWhoeverTheyBelongTo) {
  auto first = queue_->open_sender();
  auto second = queue_->open_sender();
  ASSERT_TRUE(first && second);
  for (std::uint32_t round = 0; round < 100; ++round) {
    const std::uint32_t of_first = round % kFramesEach;
    const std::uint32_t of_second = kFramesEach + (round + 3) % kFramesEach;
    send(*first, of_first);
    send(*second, of_second);
    EXPECT_EQ(reclaimed(1), std::vector{of_second}) << "though the other was told of first";
    EXPECT_EQ(reclaimed(0), std::vector{of_first});
    EXPECT_TRUE(reclaimed(0).empty() && reclaimed(1).empty()) << "once";
  }
}

TEST_F(XdpQueueTest, EveryFrameHasRoomAndNoneReachesIntoAnother) {
  std::size_t end_before = 0;
  for (std::uint32_t frame = 0; frame < kUsers * kFramesEach; ++frame) {
    const std::size_t start = XdpQueue::start_of_frame(frame);
    EXPECT_GE(start, end_before);
    EXPECT_GE(queue_->frame(frame).size(), XdpQueue::kFrameBytesLimit);
    EXPECT_EQ(XdpQueue::frame_at(start), frame);
    end_before = start + queue_->frame(frame).size();
  }
}

TEST_F(XdpQueueTest, OneSetOfSocketsAtATimeHasTheQueueOfAnInterface) {
  const auto another = open_queue();
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error(), EBUSY);
  const auto nowhere = XdpQueue::open(0x7FFFFFFF, 1, kFramesEach);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error(), ENODEV);
}

}  // namespace
}  // namespace offhook::io
