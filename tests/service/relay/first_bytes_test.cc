// What becomes of a connection by its first bytes, under a clock that the test sets.

#include "relay_fixture.h"
#include "service/relay/client_connections.h"
#include "service/relay/first_byte.h"
#include "tls_client.h"

namespace offhook::relay {
namespace {

using std::chrono::milliseconds;
using test::TlsClient;

TEST(FirstByte, TellsTlsAndHttpAndLeavesTheRestToTheFramer) {
  for (unsigned value = 0; value < 256; ++value) {
    const Protocol told = protocol_of(static_cast<std::uint8_t>(value));
    if (value == 0x16) {
      EXPECT_EQ(told, Protocol::tls);
    } else if (value >= 'A' && value <= 'Z') {
      EXPECT_EQ(told, Protocol::http) << value;
    } else {
      EXPECT_EQ(told, Protocol::turn) << value;
    }
  }
}

class FirstBytes : public testing::Test {
 protected:
  io::Fd adopt(ClientConnections::Service service = ClientConnections::Service::turn_and_http) {
    test::SocketPair ends = test::socket_pair();
    connections_.adopt({std::move(ends.server), {kLoopback4, next_port_++}}, listen_address_, service, now_);
    return std::move(ends.client);
  }
  // What a shard does until nothing more is ready. Frames join `frames_`.
  void serve() {
    for (;;) {
      const auto events = poller_->wait(now_, now_);
      if (events.empty()) return;
      for (const io::Ready& ready : events) {
        const auto client = connections_.find(EventTag::unpack(ready.tag));
        if (!client) continue;
        if (ready.writable) (void)connections_.handle_writable(client->handle);
        const auto read = connections_.read(client->handle, now_);
        if (read.framer == nullptr) continue;
        std::size_t taken = 0;
        for (auto frame = read.framer->next(); frame; frame = read.framer->next(), ++taken)
          frames_.emplace_back(frame->begin(), frame->end());
        connections_.finish_read(client->handle, taken > 0, now_);
      }
      closed_ += close_doomed();
    }
  }
  std::size_t close_doomed() {
    std::size_t count = 0;
    while (connections_.take_doomed()) count += 1;
    return count;
  }
  // The client's and the server's steps in turns.
  void shake_hands(TlsClient& client) {
    for (int i = 0; i < 20; ++i) {
      const bool done = client.step();
      serve();
      if (done) return;
    }
    ADD_FAILURE() << "the handshake does not end";
  }
  std::uint64_t count(Counter counter) const {
    RelayCounters counted;
    counters_.add_to(counted);
    return counted[counter];
  }
  turn::Client client(std::uint16_t port) const {
    return {{{kLoopback4, port}, listen_address_, turn::Transport::tcp}, ClientConnections::kHandleBit};
  }

  Instant now_{std::chrono::seconds(1000)};
  std::uint16_t next_port_ = 50000;
  Address listen_address_{kLoopback4, 5349};
  ShardCounters counters_;
  test::ScratchDirectory scratch_;
  std::shared_ptr<io::ServerCertificates> certificates_ =
      *io::ServerCertificates::load(test::fresh_certificate(scratch_, "a"));
  HttpHandover http_;
  std::unique_ptr<io::Poller> poller_ = io::make_epoll_poller();
  ClientConnections connections_{*poller_, counters_, certificates_.get(), &http_};
  std::vector<Buffer> frames_;
  std::size_t closed_ = 0;
};

// A Binding request.
const Buffer kRequest = {0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x42, 1,  2,
                         3,    4,    5,    6,    7,    8,    9,    10,   11, 12};

TEST_F(FirstBytes, OfTurnInTheClearMayComeOneByOne) {
  const io::Fd client = adopt();
  for (const std::uint8_t& byte : kRequest) {
    ASSERT_EQ(send(client.get(), &byte, 1, 0), 1);
    serve();
  }
  EXPECT_EQ(frames_, std::vector<Buffer>{kRequest});
  EXPECT_EQ(closed_, 0U);
}

TEST_F(FirstBytes, OfATlsHandshakeMayComeOneByOne) {
  // The client's flights pass through the test's hands.
  const io::Fd server_side = adopt();
  test::SocketPair ends = test::socket_pair();
  TlsClient client(std::move(ends.client));
  const auto pass = [&](const io::Fd& from, const io::Fd& to, std::size_t step) {
    std::array<char, 65536> bytes{};
    const ssize_t size = recv(from.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    for (std::size_t at = 0; size > 0 && at < static_cast<std::size_t>(size); at += step) {
      const std::size_t part = std::min(step, static_cast<std::size_t>(size) - at);
      ASSERT_EQ(send(to.get(), bytes.data() + at, part, 0), static_cast<ssize_t>(part));
      serve();
    }
  };
  for (int i = 0; i < 10; ++i) {
    (void)client.step();
    pass(ends.server, server_side, 1);
    pass(server_side, ends.server, 65536);
  }
  EXPECT_EQ(count(Counter::tls_handshakes), 1U);
  for (const std::uint8_t& byte : kRequest)
    ASSERT_TRUE(client.send({reinterpret_cast<const char*>(&byte), 1}));
  pass(ends.server, server_side, 1);
  EXPECT_EQ(frames_, std::vector<Buffer>{kRequest});
  EXPECT_EQ(closed_, 0U);
}

TEST_F(FirstBytes, InsideTlsTellTurnFromHttp) {
  TlsClient turn_client(adopt());
  shake_hands(turn_client);
  ASSERT_TRUE(turn_client.send(as_text(kRequest)));
  serve();
  EXPECT_EQ(frames_, std::vector<Buffer>{kRequest});
  EXPECT_TRUE(http_.take().empty());

  TlsClient http_client(adopt());
  shake_hands(http_client);
  ASSERT_TRUE(http_client.send("OPTIONS * HTTP/1.1\r\n"));
  serve();
  const auto streams = http_.take();
  ASSERT_EQ(streams.size(), 1U);
  EXPECT_TRUE(streams[0].tls.has_value());
  EXPECT_EQ(streams[0].client_address.port, 50001);
  EXPECT_EQ(closed_, 1U) << "it has left the shard";
  EXPECT_EQ(count(Counter::connections_live), 1U);
  EXPECT_EQ(count(Counter::http_connections), 1U);
  // What comes for it now wakes the shard no more.
  ASSERT_TRUE(http_client.send("more"));
  EXPECT_TRUE(poller_->wait(now_, now_).empty());
}

TEST_F(FirstBytes, ThatAreNothingWeSpeakEndTheConnection) {
  for (const std::string_view bytes :
       {"\xFF\xFE garbage", "get / http/1.0\r\n", "SSH-2.0-client\r\n\r\n\r\n"}) {
    closed_ = 0;
    const io::Fd client = adopt(ClientConnections::Service::turn);
    ASSERT_EQ(send(client.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    serve();
    EXPECT_EQ(closed_, bytes.starts_with("get") ? 0U : 1U) << bytes;
    connections_.close_all();
  }
  EXPECT_TRUE(http_.take().empty());
}

TEST_F(FirstBytes, OfTlsInsideTlsEndTheConnection) {
  TlsClient client(adopt());
  shake_hands(client);
  ASSERT_TRUE(client.send("\x16\x03\x01"));
  serve();
  EXPECT_EQ(closed_, 1U);
}

TEST_F(FirstBytes, ThatOnlyBeginLikeTlsEndTheConnection) {
  const io::Fd client = adopt();
  constexpr std::string_view kNoRecord = "\x16 is no record of ours";
  ASSERT_EQ(send(client.get(), kNoRecord.data(), kNoRecord.size(), 0),
            static_cast<ssize_t>(kNoRecord.size()));
  serve();
  EXPECT_EQ(closed_, 1U);
  EXPECT_EQ(count(Counter::tls_handshakes_failed), 1U);
}

TEST_F(FirstBytes, ThatNeverComeEndTheConnectionInTime) {
  const io::Fd silent = adopt();
  now_ += kConnectionWithoutAllocationTimeout - milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
  now_ += milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 1U);
}

TEST_F(FirstBytes, OfAHandshakeThatIsNotFinishedHaveTheirTime) {
  TlsClient client(adopt());
  now_ += std::chrono::seconds(5);
  (void)client.step();
  serve();
  EXPECT_EQ(connections_.next_deadline(), now_ + kFrameTimeout);
  now_ += kFrameTimeout - milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
  now_ += milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 1U);

  // One that is finished has the time of every connection without an allocation.
  TlsClient finished(adopt());
  shake_hands(finished);
  now_ += kFrameTimeout;
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
}

TEST_F(FirstBytes, OfHandshakesAreServedToALimit) {
  // A handshake record's first byte is enough to begin one. From many addresses: each has a limit of its own.
  std::vector<io::Fd> clients;
  const auto begin_from = [&](std::size_t host) {
    test::SocketPair ends = test::socket_pair();
    const Ip ip = Ip::v4(0x7F000100U + static_cast<std::uint32_t>(host));
    connections_.adopt({std::move(ends.server), {ip, 50000}}, listen_address_,
                       ClientConnections::Service::turn_and_http, now_);
    EXPECT_EQ(send(ends.client.get(), "\x16", 1, 0), 1);
    clients.push_back(std::move(ends.client));
    serve();
  };
  for (std::size_t host = 0; host < kHandshakesLimit; ++host) begin_from(host);
  EXPECT_EQ(closed_, 0U);
  begin_from(kHandshakesLimit);
  EXPECT_EQ(closed_, 1U);
  EXPECT_EQ(count(Counter::connections_refused), 1U);
  clients.front().close();
  serve();
  begin_from(kHandshakesLimit + 1);
  EXPECT_EQ(closed_, 2U) << "the one that left";
}

TEST_F(FirstBytes, AreFollowedByMediaThatIsDroppedWholeWhenTheClientReadsTooSlowly) {
  TlsClient client_end(adopt());
  shake_hands(client_end);
  ASSERT_TRUE(client_end.send(as_text(kRequest)));
  serve();
  const turn::Client to = client(50000);
  connections_.set_has_allocation(to, true, now_);
  Buffer packet(1004, 7);
  packet[0] = 0x40;
  packet[1] = 1;
  packet[2] = 1000 >> 8U;
  packet[3] = 1000 & 0xFFU;
  std::size_t sent = 0;
  while (count(Counter::dropped_by_stream_queue) == 0) {
    connections_.send_media(to, packet);
    connections_.flush();
    sent += 1;
  }
  const Buffer reply = {0x40, 0x02, 0x00, 0x00};
  connections_.send_control(to, reply);
  connections_.flush();
  EXPECT_EQ(close_doomed(), 0U);

  turn::StreamFramer framer;
  std::size_t media = 0;
  bool reply_arrived = false;
  while (!reply_arrived) {
    serve();
    const std::string bytes = client_end.receive();
    ASSERT_FALSE(bytes.empty());
    const MutableBytes space = framer.space(bytes.size());
    std::copy(bytes.begin(), bytes.end(), space.begin());
    framer.filled(bytes.size());
    while (const auto frame = framer.next()) {
      media += frame->size() == packet.size() ? 1U : 0U;
      reply_arrived = equal(*frame, reply);
    }
  }
  EXPECT_EQ(framer.state(), turn::StreamFramer::State::ok);
  EXPECT_EQ(media, sent - 1);
}

TEST_F(FirstBytes, WithoutACertificateAreNotTls) {
  ClientConnections without(*poller_, counters_);
  test::SocketPair ends = test::socket_pair();
  without.adopt({std::move(ends.server), {kLoopback4, 50000}}, listen_address_,
                ClientConnections::Service::turn_and_http, now_);
  ASSERT_EQ(send(ends.client.get(), "\x16\x03\x01", 3, 0), 3);
  EXPECT_EQ(without.read(ClientConnections::kHandleBit, now_).framer, nullptr);
  EXPECT_TRUE(without.take_doomed().has_value());
}

}  // namespace
}  // namespace offhook::relay
