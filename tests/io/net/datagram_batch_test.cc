// Bursts that the kernel hands over as one message are datagrams again, each with room of its own.

#include "io/net/datagram_batch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>

#include "io/net/datagram_queue.h"
#include "io/net/socket.h"

namespace offhook::io {
namespace {

constexpr int kPatienceMs = 5000;
constexpr std::size_t kHeadroom = 64;
constexpr std::size_t kTailroom = 4;

Address loopback(Family family) { return {*Ip::parse(family == Family::ipv4 ? "127.0.0.1" : "::1"), 0}; }

class DatagramBatchTest : public testing::TestWithParam<Family> {
 protected:
  DatagramBatchTest() { take_merged(receiver_); }

  void send(const std::vector<std::size_t>& sizes, const Socket& from) {
    std::vector<Buffer> payloads;
    for (const std::size_t size : sizes) {
      payloads.emplace_back(size, static_cast<std::uint8_t>(sent_.size() + 1));
      sent_.push_back(payloads.back());
    }
    DatagramQueue queue(payloads.size());
    for (const Buffer& payload : payloads) queue.add(from.get(), {}, *bound_address(receiver_), payload);
    ASSERT_EQ(queue.flush({}), 0U);
  }
  // One call, when something is there.
  DatagramBatch::Received receive(std::size_t messages) {
    pollfd wanted{receiver_.get(), POLLIN, 0};
    EXPECT_EQ(poll(&wanted, 1, kPatienceMs), 1);
    return batch_.receive(receiver_.get(), messages);
  }
  void expect_all_sent() const {
    ASSERT_EQ(batch_.size(), sent_.size());
    for (std::size_t i = 0; i < sent_.size(); ++i) {
      const auto datagram = batch_.datagram(i);
      ASSERT_EQ(datagram.storage.size(), datagram.offset + datagram.size + kTailroom) << i;
      EXPECT_TRUE(std::ranges::equal(datagram.storage.subspan(datagram.offset, datagram.size), sent_[i]))
          << i;
    }
  }

  const Socket sender_ = *open_relay_socket(loopback(GetParam()));
  const Socket other_ = *open_relay_socket(loopback(GetParam()));
  const Socket receiver_ = *open_udp_listener(loopback(GetParam()), PortSharing::exclusive);
  DatagramBatch batch_{4, kHeadroom, kTailroom};
  std::vector<Buffer> sent_;
};

TEST_P(DatagramBatchTest, ABurstIsTakenApart) {
  send({172, 172, 172, 17}, sender_);
  send({30}, other_);
  const auto received = receive(4);
  EXPECT_EQ(received.datagrams, 5U) << "two messages";
  EXPECT_FALSE(received.more);
  EXPECT_EQ(batch_.free_slots(), 2U);
  expect_all_sent();
  EXPECT_EQ(batch_.datagram(3).from, bound_address(sender_));
  EXPECT_EQ(batch_.datagram(4).from, bound_address(other_));
}

// Whoever writes a header in front of one, or padding behind it, changes no other.
TEST_P(DatagramBatchTest, EachHasRoomOfItsOwn) {
  send(std::vector<std::size_t>(40, 100), sender_);
  send({1, 1, 1}, other_);
  EXPECT_EQ(receive(4).datagrams, 43U);
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    const auto datagram = batch_.datagram(i);
    EXPECT_EQ(datagram.offset, kHeadroom);
    std::ranges::fill(datagram.storage.first(datagram.offset), std::uint8_t{0xFF});
    std::ranges::fill(datagram.storage.last(kTailroom), std::uint8_t{0xFF});
  }
  expect_all_sent();
}

TEST_P(DatagramBatchTest, WhatFillsAllSlotsIsNotCutShort) {
  for (int i = 0; i < 4; ++i) send(std::vector<std::size_t>(45, 1452), sender_);
  const auto received = receive(9);
  EXPECT_EQ(received.datagrams, 180U);
  EXPECT_TRUE(received.more) << "there was no room to see whether that is all";
  expect_all_sent();
  EXPECT_EQ(batch_.receive(receiver_.get(), 1).datagrams, 0U) << "without room nothing is taken";
  batch_.clear();
  sent_.clear();
  send({5}, sender_);
  EXPECT_EQ(receive(1).datagrams, 1U);
  expect_all_sent();
}

INSTANTIATE_TEST_SUITE_P(Families, DatagramBatchTest, testing::Values(Family::ipv4, Family::ipv6),
                         [](const auto& family) { return family.param == Family::ipv4 ? "Ipv4" : "Ipv6"; });

}  // namespace
}  // namespace offhook::io
