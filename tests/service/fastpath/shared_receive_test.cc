// With one receive socket a shard: what is a live relayed address comes there, and nothing else.

#include "service/relay/shared_receive.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "crypto/secure_random.h"
#include "io/net/own_network.h"
#include "service/relay/relay_fixture.h"
#include "service/relay/relay_ports.h"

namespace offhook::relay {
namespace {

using test::TurnClient;
using test::UdpPeer;

constexpr int kPatienceMs = 20000;

class SharedReceiveTest : public io::OwnNetworkTest {
 protected:
  void SetUp() override {
    io::OwnNetworkTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(io::run("ip link set lo up"));
    settings_.shards = 1;
    settings_.fast_path = FastPathChoice::off;
    const auto lookup = io::SocketLookup::start({{kLoopback4}, 50000, 50001, 1});
    if (!lookup && lookup.error().find("lets this process load no program") != std::string::npos)
      GTEST_SKIP() << lookup.error();
    // Any other refusal is a fault of ours.
    receive_ = SharedReceive::start(settings_, {kLoopback4, kLoopback6}, 1);
    ASSERT_TRUE(receive_);
  }
  static bool comes_to(const io::Socket& socket) {
    pollfd wanted{socket.get(), POLLIN, 0};
    return poll(&wanted, 1, kPatienceMs) == 1;
  }

  RelaySettings settings_ = loopback_settings();
  std::unique_ptr<SharedReceive> receive_;
};

TEST_F(SharedReceiveTest, ARelayedAddressIsReceivedThereWhileItIsLive) {
  crypto::SecureRandom random;
  for (const std::size_t index : {0U, 1U}) {
    RelayPorts ports({kLoopback4, kLoopback6}, settings_.relay_port_first, settings_.relay_port_last, 1);
    ports.set_lookup(receive_->lookup());
    auto lease = ports.take(index, 0, RelayPorts::Parity::any, random);
    ASSERT_TRUE(lease);
    const Address relayed = lease->address();
    const io::Socket own = *io::open_relay_socket(relayed);
    UdpPeer peer(relayed.ip);
    peer.send(relayed, bytes_of("early"));
    EXPECT_TRUE(comes_to(own));
    lease->publish({0, {{1, 1}, relayed.family()}});
    peer.send(relayed, bytes_of("live"));
    EXPECT_TRUE(comes_to(receive_->of(0, relayed.family()).datagrams));
    Buffer taken(16);
    EXPECT_EQ(recv(own.get(), taken.data(), taken.size(), MSG_DONTWAIT), 5) << "the early one";
    lease->receive_alone();
    peer.send(relayed, bytes_of("alone"));
    EXPECT_TRUE(comes_to(own));
    EXPECT_EQ(recv(own.get(), taken.data(), taken.size(), MSG_DONTWAIT), 5);
    EXPECT_EQ(
        recv(receive_->of(0, relayed.family()).datagrams.get(), taken.data(), taken.size(), MSG_DONTWAIT), 4);
    lease->receive_shared(0);
    peer.send(relayed, bytes_of("again"));
    EXPECT_TRUE(comes_to(receive_->of(0, relayed.family()).datagrams));
    lease->unpublish();
    peer.send(relayed, bytes_of("late"));
    EXPECT_TRUE(comes_to(own));
  }
}

class Relayed {
 public:
  explicit Relayed(const RelaySettings& settings) : relay_(settings) {
    relayed_ = client_.allocate({}).relayed();
    EXPECT_EQ(client_.create_permission({peer_.address()}), 0);
  }
  // What a client gets must not depend on which socket has received it.
  void expect_echo() {
    client_.send_indication(peer_.address(), bytes_of("there"));
    ASSERT_TRUE(peer_.receive());
    peer_.send(relayed_, bytes_of("and back"));
    const auto back = client_.receive();
    ASSERT_TRUE(back);
    EXPECT_EQ(back->payload, bytes_of("and back"));
  }
  // From somebody who has no permission: nothing of it reaches the client. Until the relay has been made to
  // receive alone so many times; between them it has shared again.
  void flood(std::uint64_t times) {
    UdpPeer stranger(*Ip::parse("127.0.0.2"));
    const Buffer large(60'000);  // 18 within 17 ms are more than a share
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
    while (relay_.count(Counter::relays_alone) < times && std::chrono::steady_clock::now() < until) {
      for (int i = 0; i < 32; ++i) stranger.send(relayed_, large);
    }
    EXPECT_GE(relay_.count(Counter::relays_alone), times);
  }
  void expect_one_icmp_error() {
    const Address gone = UdpPeer(kLoopback4).address();
    ASSERT_EQ(client_.create_permission({gone}), 0);
    client_.send_indication(gone, bytes_of("anybody?"));
    const auto report = client_.receive();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->icmp);
    EXPECT_TRUE(client_.binding()) << "all that came before the answer is counted";
    EXPECT_EQ(relay_.count(Counter::icmp_errors), 1U);
  }

 private:
  RunningRelay relay_;
  TurnClient client_{relay_.at(Family::ipv4), turn::Transport::udp, minted("bob")};
  UdpPeer peer_{kLoopback4};
  Address relayed_;
};

TEST_F(SharedReceiveTest, AFloodedAddressGoesOnWithItsOwnSocket) {
  receive_.reset();
  Relayed relayed(settings_);
  relayed.expect_echo();
  relayed.flood(1);
  relayed.expect_echo();
  relayed.expect_one_icmp_error();
  relayed.flood(3);
  relayed.expect_echo();
}

// So many that none has more than its share of what the strangers can send.
class ManyRelayed {
 public:
  explicit ManyRelayed(const RelaySettings& settings) : relay_(settings) {
    for (std::size_t i = 0; i < kCount; ++i) {
      clients_.push_back(
          std::make_unique<TurnClient>(relay_.at(Family::ipv4), turn::Transport::udp, minted("bob")));
      relayed_.push_back(clients_.back()->allocate({}).relayed());
    }
  }
  // Until relays have been made to receive alone; nobody is permitted to send this.
  void overwhelm() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
    const auto send = [&] {
      UdpPeer stranger(*Ip::parse("127.0.0.2"));
      const Buffer large(60'000);
      while (relay_.count(Counter::relays_alone) == 0 && std::chrono::steady_clock::now() < until) {
        for (const Address& relayed : relayed_) stranger.send(relayed, large);
      }
    };
    std::vector<std::thread> strangers;
    for (int i = 0; i < kStrangers; ++i) strangers.emplace_back(send);
    for (std::thread& stranger : strangers) stranger.join();
    EXPECT_GT(relay_.count(Counter::relays_alone), 0U);
  }
  void expect_echoes() {
    UdpPeer peer(kLoopback4);
    for (std::size_t i = 0; i < kCount; ++i) {
      ASSERT_EQ(clients_[i]->create_permission({peer.address()}), 0);
      peer.send(relayed_[i], bytes_of("hello"));
      const auto got = clients_[i]->receive();
      ASSERT_TRUE(got) << i;
      EXPECT_EQ(got->payload, bytes_of("hello"));
    }
  }

 private:
  static constexpr std::size_t kCount = 512;
  static constexpr int kStrangers = 3;

  RunningRelay relay_;
  std::vector<std::unique_ptr<TurnClient>> clients_;
  std::vector<Address> relayed_;
};

TEST_F(SharedReceiveTest, RelaysReceiveAloneWhileTheShardDoesNotKeepPace) {
  receive_.reset();
  ManyRelayed relayed(settings_);
  relayed.expect_echoes();
  relayed.overwhelm();
  relayed.expect_echoes();
}

TEST_F(SharedReceiveTest, SeveralServersOfOneNetworkEachHaveTheirs) {
  receive_.reset();
  Relayed one(settings_);
  Relayed other(settings_);
  one.expect_echo();
  other.expect_echo();
  one.expect_one_icmp_error();
  other.expect_one_icmp_error();
}

}  // namespace
}  // namespace offhook::relay
