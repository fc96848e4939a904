// ICMP errors that many packets draw at once.

#include <gtest/gtest.h>

#include "service/relay/relay_fixture.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;

class IcmpErrors : public testing::TestWithParam<Family> {};

// More than a round reads, and the socket tells of them once.
TEST_P(IcmpErrors, AllReachTheClient) {
  constexpr std::size_t kErrors = 50;
  const Ip own = GetParam() == Family::ipv4 ? kLoopback4 : *Ip::parse("::1");
  RunningRelay relay;
  TurnClient client(relay.at(GetParam()), turn::Transport::udp, {"alice", "wonderland"});
  TurnClient::AllocateOptions options;
  options.family = GetParam();
  ASSERT_EQ(client.allocate(options).error, 0);
  Address gone;
  {
    const UdpPeer peer(own);
    gone = peer.address();
  }
  ASSERT_EQ(client.create_permission({gone}), 0);
  // Each larger than the one before, or they would leave as one.
  for (std::size_t i = 0; i < kErrors; ++i) client.send_indication(gone, Buffer(i + 1, 7));
  for (std::size_t i = 0; i < kErrors; ++i) {
    const auto report = client.receive();
    ASSERT_TRUE(report.has_value()) << i;
    EXPECT_TRUE(report->icmp.has_value()) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, IcmpErrors, testing::Values(Family::ipv4, Family::ipv6),
                         [](const auto& each) { return each.param == Family::ipv4 ? "Ipv4" : "Ipv6"; });

}  // namespace
}  // namespace offhook::relay
