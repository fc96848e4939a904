// What a raw socket sends arrives as if the socket that has the port had sent it. The receiver's kernel
// checks the checksums.

#include "io/net/raw_sender.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <set>
#include <string>

#include "base/internet_checksum.h"
#include "io/net/datagram_batch.h"
#include "io/net/socket.h"

namespace offhook::io {
namespace {

constexpr int kPatienceMs = 5000;

Ip loopback(Family family) { return *Ip::parse(family == Family::ipv4 ? "127.0.0.1" : "::1"); }

struct Arrived {
  Buffer bytes;
  std::optional<Address> from;
};

Arrived receive(const Socket& socket) {
  pollfd wanted{socket.get(), POLLIN, 0};
  if (poll(&wanted, 1, kPatienceMs) != 1) return {};
  DatagramBatch batch(1, 0, 0);
  if (batch.receive(socket.get(), 1).datagrams != 1) return {};
  const auto datagram = batch.datagram(0);
  return {
      Buffer(datagram.storage.begin(), datagram.storage.begin() + static_cast<std::ptrdiff_t>(datagram.size)),
      datagram.from};
}

class RawSenderTest : public testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    raw_ = RawSender::open(loopback(GetParam()), 64);
    if (!raw_) GTEST_SKIP() << "no raw sockets (root is needed)";
  }
  static Socket listener() { return *open_udp_listener({loopback(GetParam()), 0}, PortSharing::exclusive); }
  void flush_all() {
    raw_->flush([](std::size_t tag) { ADD_FAILURE() << "refused: " << tag; });
  }
  std::optional<RawSender> raw_;
};

TEST_P(RawSenderTest, ManyPortsSendWithOneCall) {
  const Socket receiver = listener();
  const Address to = *bound_address(receiver);
  std::vector<Buffer> payloads;
  // Even and odd lengths: the checksum pads.
  for (std::size_t i = 0; i < 64; ++i) payloads.emplace_back(i, static_cast<std::uint8_t>(0xF0 + i));
  for (std::size_t i = 0; i < payloads.size(); ++i)
    raw_->add(static_cast<std::uint16_t>(50000 + i), to, payloads[i], i);
  flush_all();
  EXPECT_TRUE(raw_->empty());
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const Arrived arrived = receive(receiver);
    EXPECT_EQ(arrived.bytes, payloads[i]);
    EXPECT_EQ(arrived.from, (Address{loopback(GetParam()), static_cast<std::uint16_t>(50000 + i)}));
  }
}

// One in 65,536 has a checksum of zero, which must not be sent as such.
TEST_P(RawSenderTest, EveryChecksumIsRight) {
  const Socket receiver = listener();
  const Address to = *bound_address(receiver);
  std::set<std::uint16_t> seen;
  for (std::uint32_t value = 0; value < 65536; value += 64) {
    std::vector<Buffer> payloads;
    for (std::uint32_t i = value; i < value + 64; ++i)
      payloads.push_back({static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)});
    for (std::size_t i = 0; i < payloads.size(); ++i) raw_->add(50000, to, payloads[i], i);
    flush_all();
    for (const Buffer& payload : payloads) {
      const Arrived arrived = receive(receiver);
      ASSERT_EQ(arrived.bytes, payload);
      seen.insert(static_cast<std::uint16_t>(payload[0] << 8U | payload[1]));
    }
  }
  EXPECT_EQ(seen.size(), 65536U);
}

TEST_P(RawSenderTest, WhatTheKernelRefusesIsNamedInItsPlace) {
  const Socket receiver = listener();
  const Address to = *bound_address(receiver);
  const Buffer small(10, 1);
  const Buffer too_large(65520, 2);  // with its headers no IP packet holds it, nor a frame of the loopback
  raw_->add(50000, to, small, 7);
  raw_->add(50000, to, too_large, 8);
  raw_->add(50000, to, small, 9);
  std::vector<std::size_t> refused;
  raw_->flush([&](std::size_t tag) { refused.push_back(tag); });
  EXPECT_EQ(refused, (std::vector<std::size_t>{8}));
  EXPECT_EQ(receive(receiver).bytes, small);
  EXPECT_EQ(receive(receiver).bytes, small);
}

INSTANTIATE_TEST_SUITE_P(Families, RawSenderTest, testing::Values(Family::ipv4, Family::ipv6),
                         [](const auto& family) { return family.param == Family::ipv4 ? "Ipv4" : "Ipv6"; });

// RFC 1071 section 3's example.
TEST(InternetChecksum, IsThatOfTheRfc) {
  const Buffer bytes = {0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7};
  const std::uint16_t checksum = finish_checksum(add_to_checksum(0, bytes));
  std::array<std::uint8_t, 2> as_sent{};
  std::memcpy(as_sent.data(), &checksum, 2);
  EXPECT_EQ(as_sent, (std::array<std::uint8_t, 2>{0x22, 0x0D}));  // the complement of 0xDDF2
}

}  // namespace
}  // namespace offhook::io
