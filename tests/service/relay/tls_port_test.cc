// The ports where TLS, TURN and HTTP come in together, through a running relay.

#include "relay_fixture.h"
#include "tls_layer.h"

namespace offhook::relay {
namespace {

using test::TlsClient;
using test::TurnClient;

class TlsPort : public testing::Test {
 protected:
  TlsPort() {
    RelaySettings settings = loopback_settings();
    settings.tls_ports = {0};
    settings.certificates = certificates_;
    service_.emplace(std::move(settings), credentials_with({std::string(kSharedSecret)}));
    const auto started = service_->start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    tls_address_ = service_->tls_addresses().front();
  }
  io::Fd connect(const Address& to) {
    io::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    io::SocketAddress address{};
    const socklen_t length = io::to_socket_address(to, address);
    EXPECT_EQ(::connect(socket.get(), &address.any, length), 0);
    return socket;
  }
  TlsClient tls_client(const Address& to) { return TlsClient(connect(to)); }
  // The HTTP connections that were handed over, once there is one.
  std::vector<io::AcceptedStream> await_http() {
    EXPECT_TRUE(test::await_readable(service_->http_fd(), test::kPatience));
    return service_->take_http();
  }
  static bool is_closed(const io::Fd& socket) {
    char byte = 0;
    return test::await_readable(socket.get(), test::kPatience) && recv(socket.get(), &byte, 1, 0) <= 0;
  }
  void relay_both_ways(TurnClient& client) {
    const auto allocated = client.allocate();
    ASSERT_EQ(allocated.error, 0);
    EXPECT_EQ(allocated.mapped_address, client.client_address());
    test::UdpPeer peer(kLoopback4);
    ASSERT_EQ(client.channel_bind(0x4001, peer.address()), 0);
    for (int i = 0; i < 200; ++i) {
      const Buffer payload(1 + static_cast<std::size_t>(i) * 7 % 1200, static_cast<std::uint8_t>(i));
      client.send_channel_data(0x4001, payload);
      const auto up = peer.receive();
      ASSERT_TRUE(up.has_value()) << i;
      EXPECT_EQ(up->payload, payload);
      peer.send(allocated.relayed(), payload);
      const auto down = client.receive();
      ASSERT_TRUE(down.has_value()) << i;
      EXPECT_EQ(down->payload, payload);
    }
    EXPECT_EQ(client.refresh(std::chrono::seconds(0)), 0);
  }

  test::ScratchDirectory scratch_;
  std::shared_ptr<io::ServerCertificates> certificates_ =
      *io::ServerCertificates::load(test::fresh_certificate(scratch_, "a"));
  Address tls_address_;
  std::optional<RelayService> service_;
};

TEST_F(TlsPort, RelaysForClientsOverTlsAndInTheClear) {
  relay_both_ways(*test::turn_over_tls(tls_address_, minted("alice")));
  TurnClient in_the_clear(tls_address_, turn::Transport::tcp, minted("bob"));
  relay_both_ways(in_the_clear);
  EXPECT_EQ(service_->counters()[Counter::tls_handshakes], 1U);
}

TEST_F(TlsPort, IsNotNeededForTlsAtThePortOfTurn) {
  relay_both_ways(*test::turn_over_tls(service_->listening_addresses().front(), minted("alice")));
}

// Much in a few large records, as a client sends that had to wait: nothing may stay behind unread.
TEST_F(TlsPort, TakesAllOfARecordThatHoldsManyPackets) {
  const auto client = test::turn_over_tls(tls_address_, minted("alice"));
  const auto allocated = client->allocate();
  ASSERT_EQ(allocated.error, 0);
  test::UdpPeer peer(kLoopback4);
  ASSERT_EQ(client->channel_bind(0x4001, peer.address()), 0);
  for (int round = 0; round < 5; ++round) {
    Buffer packets;
    for (std::uint8_t i = 0; i < 120; ++i) {
      packets.insert(packets.end(), {0x40, 0x01, 0x00, 0x64});
      packets.insert(packets.end(), 100, i);
    }
    client->send_bytes(packets);
    for (std::uint8_t i = 0; i < 120; ++i) {
      const auto up = peer.receive();
      ASSERT_TRUE(up.has_value()) << "packet " << int{i};
      EXPECT_EQ(up->payload, Buffer(100, i));
    }
    // And as many back at once.
    for (std::uint8_t i = 0; i < 120; ++i) peer.send(allocated.relayed(), Buffer(1000, i));
    for (std::uint8_t i = 0; i < 120; ++i) {
      const auto down = client->receive();
      ASSERT_TRUE(down.has_value()) << "packet " << int{i};
      EXPECT_EQ(down->payload, Buffer(1000, i));
    }
  }
}

TEST_F(TlsPort, HandsHttpOverInTheClear) {
  const io::Fd client = connect(tls_address_);
  ASSERT_EQ(send(client.get(), "GET / HTTP/1.1\r\n", 16, 0), 16);
  auto streams = await_http();
  ASSERT_EQ(streams.size(), 1U);
  EXPECT_FALSE(streams[0].tls.has_value());
  EXPECT_EQ(streams[0].client_address, *io::bound_address(client));
  char space[32] = {};
  EXPECT_EQ(recv(streams[0].socket.get(), space, sizeof space, 0), 16) << "nothing was taken out of it";
  EXPECT_EQ(send(streams[0].socket.get(), "answer", 6, 0), 6);
  EXPECT_EQ(recv(client.get(), space, sizeof space, 0), 6);
}

TEST_F(TlsPort, HandsHttpOverWithItsTls) {
  TlsClient client = tls_client(tls_address_);
  ASSERT_TRUE(client.handshake());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\n"));
  auto streams = await_http();
  ASSERT_EQ(streams.size(), 1U);
  ASSERT_TRUE(streams[0].tls.has_value());
  std::array<std::uint8_t, 32> space{};
  EXPECT_EQ(streams[0].tls->read(space).bytes, 16U);
  EXPECT_EQ(to_string(Bytes(space).first(16)), "GET / HTTP/1.1\r\n");
  EXPECT_EQ(streams[0].tls->write(as_bytes("answer")).bytes, 6U);
  EXPECT_EQ(client.receive(), "answer");
  ASSERT_TRUE(client.send("more"));
  EXPECT_TRUE(test::await_readable(streams[0].socket.get(), test::kPatience));
  EXPECT_EQ(streams[0].tls->read(space).bytes, 4U);
}

TEST_F(TlsPort, OfTurnAloneEndsHttp) {
  const Address turn_address = service_->listening_addresses().front();
  const io::Fd client = connect(turn_address);
  ASSERT_EQ(send(client.get(), "GET / HTTP/1.1\r\n", 16, 0), 16);
  EXPECT_TRUE(is_closed(client));
  TlsClient secured = tls_client(turn_address);
  ASSERT_TRUE(secured.handshake());
  ASSERT_TRUE(secured.send("GET / HTTP/1.1\r\n"));
  EXPECT_EQ(secured.receive(), "");
  EXPECT_EQ(service_->counters()[Counter::http_connections], 0U);
}

TEST_F(TlsPort, ShowsANewCertificateToNewClientsAndKeepsTheOldOnesConnected) {
  const auto old_client = test::turn_over_tls(tls_address_, minted("alice"));
  ASSERT_EQ(old_client->allocate().error, 0);
  TlsClient before = tls_client(tls_address_);
  ASSERT_TRUE(before.handshake());
  const io::CertificateFiles renewed = test::fresh_certificate(scratch_, "b");
  std::filesystem::rename(renewed.certificate, scratch_.file("a/own-certificate.pem"));
  std::filesystem::rename(renewed.key, scratch_.file("a/own-certificate-key.pem"));
  EXPECT_FALSE(*certificates_->look(io::read_now().monotonic));
  EXPECT_TRUE(*certificates_->look(io::read_now().monotonic));
  TlsClient after = tls_client(tls_address_);
  ASSERT_TRUE(after.handshake());
  EXPECT_NE(after.server_serial(), before.server_serial());
  EXPECT_EQ(old_client->refresh(std::chrono::seconds(600)), 0);
}

TEST_F(TlsPort, HeldByAnotherProgramEndsTheStartOrIsGoneWithoutAsAsked) {
  for (const bool go_on : {false, true}) {
    RelaySettings settings = loopback_settings();
    settings.tls_ports = {tls_address_.port};
    settings.certificates = certificates_;
    settings.go_on_without_tls_ports = go_on;
    RelayService second(std::move(settings), credentials_with({std::string(kSharedSecret)}));
    const auto started = second.start();
    EXPECT_EQ(started.has_value(), go_on);
    EXPECT_TRUE(second.tls_addresses().empty());
    if (started) continue;
    EXPECT_NE(started.error().message.find("in use"), std::string::npos) << started.error().message;
    EXPECT_NE(started.error().message.find("--tls-port"), std::string::npos) << started.error().message;
  }
}

}  // namespace
}  // namespace offhook::relay
