// ICMP errors that many packets draw at once.

#include <gtest/gtest.h>

#include "service/relay/relay_fixture.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;

struct Way {
  Family family;
  bool socket_lookup;  // where the test may have it: then from a raw socket, else from the relay's own
};
class IcmpErrors : public testing::TestWithParam<Way> {
 protected:
  IcmpErrors() {
    RelaySettings settings = loopback_settings();
    settings.socket_lookup = GetParam().socket_lookup;
    relay_ = std::make_unique<RunningRelay>(settings);
    client_ = std::make_unique<TurnClient>(relay_->at(GetParam().family), turn::Transport::udp,
                                           TurnClient::Login{"alice", "wonderland"});
  }
  // That has ended.
  static Address peer() {
    return UdpPeer(GetParam().family == Family::ipv4 ? kLoopback4 : *Ip::parse("::1")).address();
  }
  void allocate_for(const Address& peer) {
    TurnClient::AllocateOptions options;
    options.family = GetParam().family;
    ASSERT_EQ(client_->allocate(options).error, 0);
    ASSERT_EQ(client_->create_permission({peer}), 0);
  }
  std::unique_ptr<RunningRelay> relay_;
  std::unique_ptr<TurnClient> client_;
};

// More than a round reads, and the socket tells of them once.
TEST_P(IcmpErrors, AllReachTheClient) {
  constexpr std::size_t kErrors = 50;
  const Address gone = peer();
  allocate_for(gone);
  // Each larger than the one before, or they would leave as one.
  for (std::size_t i = 0; i < kErrors; ++i) client_->send_indication(gone, Buffer(i + 1, 7));
  for (std::size_t i = 0; i < kErrors; ++i) {
    const auto report = client_->receive();
    ASSERT_TRUE(report.has_value()) << i;
    EXPECT_TRUE(report->icmp.has_value()) << i;
    EXPECT_EQ(report->peer_address.ip, gone.ip);
  }
  EXPECT_EQ(relay_->count(Counter::icmp_errors), kErrors) << "each once";
}

INSTANTIATE_TEST_SUITE_P(Ways, IcmpErrors,
                         testing::Values(Way{Family::ipv4, true}, Way{Family::ipv6, true},
                                         Way{Family::ipv4, false}, Way{Family::ipv6, false}),
                         [](const auto& each) {
                           return std::string(each.param.family == Family::ipv4 ? "Ipv4" : "Ipv6") +
                                  (each.param.socket_lookup ? "Lookup" : "OwnSockets");
                         });

}  // namespace
}  // namespace offhook::relay
