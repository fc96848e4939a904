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
  // What a shard does until nothing more is ready. Frames join `frames_`, and `reply_` answers each.
  void serve() {
    do connections_.begin_round();
    while (serve_events());
  }
  void serve_round() {
    connections_.begin_round();
    (void)serve_events();
  }
  // False if there were none.
  bool serve_events() {
    const auto events = poller_->wait(now_, now_);
    for (const io::Ready& ready : events) {
      const auto client = connections_.find(EventTag::unpack(ready.tag));
      if (!client) continue;
      const bool read_on = ready.writable && connections_.handle_writable(client->handle, now_);
      if (!ready.readable && !ready.error && !read_on) continue;
      const auto read = connections_.read(client->handle, now_);
      if (read.framer == nullptr) continue;
      std::size_t taken = 0;
      for (auto frame = read.framer->next(); frame; frame = read.framer->next(), ++taken) {
        frames_.emplace_back(frame->begin(), frame->end());
        if (!reply_.empty()) connections_.send_control(*client, reply_, now_);
      }
      connections_.finish_read(client->handle, taken > 0, now_);
    }
    connections_.flush();
    closed_ += close_doomed();
    return !events.empty();
  }
  // A connection from the host of this number: each address has a limit of its own.
  io::Fd adopt_from(std::size_t host) {
    test::SocketPair ends = test::socket_pair();
    const Ip ip = Ip::v4(0x7F000100U + static_cast<std::uint32_t>(host));
    connections_.adopt({std::move(ends.server), {ip, 50000}}, listen_address_,
                       ClientConnections::Service::turn_and_http, now_);
    return std::move(ends.client);
  }
  // A handshake record's first byte is enough to begin one.
  io::Fd begin_from(std::size_t host) {
    io::Fd client = adopt_from(host);
    EXPECT_EQ(send(client.get(), "\x16", 1, 0), 1);
    serve();
    return client;
  }
  static bool is_closed(const io::Fd& client) {
    char byte = 0;
    return recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  // Some with their first flight sent.
  std::vector<std::unique_ptr<TlsClient>> greeting_clients(std::size_t count) {
    std::vector<std::unique_ptr<TlsClient>> clients;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<TlsClient>(adopt()));
      EXPECT_FALSE(clients.back()->step());
    }
    return clients;
  }
  static bool is_answered(const TlsClient& client) { return test::wait_for(client.fd(), POLLIN, 0); }
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
  Buffer reply_;
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
}

TEST_F(FirstBytes, InsideTlsHaveTheTimeOfAHandshakeOnceMore) {
  TlsClient silent(adopt());
  TlsClient speaking(adopt());
  (void)silent.step();
  (void)speaking.step();
  serve();
  now_ += kFrameTimeout - milliseconds(1);
  shake_hands(silent);
  shake_hands(speaking);
  now_ += kFrameTimeout - milliseconds(1);
  ASSERT_TRUE(speaking.send(as_text(kRequest).substr(0, 7)));
  serve();
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
  now_ += milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 1U);
  EXPECT_TRUE(test::wait_for(silent.fd(), 0, 0)) << "hung up";
  EXPECT_FALSE(test::wait_for(speaking.fd(), 0, 0));
  // With the first byte begins the time of its frame, and after that there is none but that of every
  // connection without an allocation.
  now_ += kFrameTimeout - milliseconds(2);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
  ASSERT_TRUE(speaking.send(as_text(kRequest).substr(7)));
  serve();
  EXPECT_EQ(frames_, std::vector<Buffer>{kRequest});
  now_ += kFrameTimeout;
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
}

TEST_F(FirstBytes, OfHandshakesBeyondTheLimitEndTheOldest) {
  std::vector<io::Fd> clients;
  for (std::size_t host = 0; host < kHandshakesLimit; ++host) clients.push_back(begin_from(host));
  EXPECT_EQ(closed_, 0U);
  // Whoever answers is served, however many are silent.
  TlsClient honest(adopt());
  shake_hands(honest);
  EXPECT_EQ(closed_, 1U);
  EXPECT_TRUE(is_closed(clients[0]));
  EXPECT_EQ(count(Counter::connections_refused), 1U);
  ASSERT_TRUE(honest.send(as_text(kRequest)));
  serve();
  EXPECT_EQ(frames_, std::vector<Buffer>{kRequest});
  // It has made room, and so does one that leaves.
  clients[1].close();
  serve();
  EXPECT_EQ(closed_, 2U);
  clients.push_back(begin_from(kHandshakesLimit));
  clients.push_back(begin_from(kHandshakesLimit + 1));
  EXPECT_EQ(closed_, 2U);
  clients.push_back(begin_from(kHandshakesLimit + 2));
  EXPECT_EQ(closed_, 3U);
  EXPECT_TRUE(is_closed(clients[2])) << "the oldest that is left";
  EXPECT_FALSE(is_closed(clients[3]));
  EXPECT_FALSE(is_closed(clients.back()));
}

TEST_F(FirstBytes, OfHandshakesThatCameAndWentDoNotHideTheOldest) {
  const io::Fd oldest = begin_from(0);
  const io::Fd second = begin_from(1);
  for (std::size_t i = 0; i < 3 * kHandshakesLimit; ++i) {
    begin_from(2).close();
    serve();
  }
  closed_ = 0;
  std::vector<io::Fd> clients;
  for (std::size_t host = 2; host < kHandshakesLimit; ++host) clients.push_back(begin_from(host));
  EXPECT_EQ(closed_, 0U);
  clients.push_back(begin_from(kHandshakesLimit));
  EXPECT_TRUE(is_closed(oldest));
  EXPECT_FALSE(is_closed(second));
  EXPECT_EQ(closed_, 1U);
}

TEST_F(FirstBytes, OfHandshakesGoOnAFewStepsARound) {
  auto clients = greeting_clients(3 * kHandshakeStepsARound);
  for (std::size_t round = 1; round <= 5; ++round) {
    // Newcomers get nothing beside those that wait.
    if (round <= 2) clients.push_back(std::move(greeting_clients(1).front()));
    serve_round();
    EXPECT_TRUE(poller_->wait(now_, now_).empty()) << "those that wait do not wake the shard";
    std::size_t answered = 0;
    for (const auto& client : clients) answered += is_answered(*client) ? 1U : 0U;
    EXPECT_EQ(answered, std::min(round * kHandshakeStepsARound, clients.size()));
  }
  for (const auto& client : clients) shake_hands(*client);
  EXPECT_EQ(count(Counter::tls_handshakes), clients.size());
  EXPECT_EQ(closed_, 0U);
}

TEST_F(FirstBytes, OfHandshakesThatTrickleDoNotStarveTheOthers) {
  std::vector<io::Fd> trickling;
  for (std::size_t i = 0; i < 2 * kHandshakeStepsARound; ++i) {
    trickling.push_back(adopt_from(i));
    ASSERT_EQ(send(trickling.back().get(), "\x16\x03\x01\x02\x00", 5, 0), 5);
  }
  const auto honest = greeting_clients(1);
  for (int round = 0; round < 4 && !is_answered(*honest[0]); ++round) {
    for (const io::Fd& client : trickling) ASSERT_EQ(send(client.get(), "\x01", 1, 0), 1);
    serve_round();
  }
  EXPECT_TRUE(is_answered(*honest[0]));
  EXPECT_EQ(closed_, 0U);
}

TEST_F(FirstBytes, OfHandshakesThatEndWhileTheirTurnComesLeaveItToOthers) {
  auto leaving = greeting_clients(3 * kHandshakeStepsARound);
  serve_round();
  connections_.begin_round();
  now_ += kConnectionWithoutAllocationTimeout;
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), leaving.size());
  const auto honest = greeting_clients(1);
  serve_round();
  EXPECT_TRUE(is_answered(*honest[0]));
}

TEST_F(FirstBytes, OfAHandshakeThatWaitedForRoomGoOnThoughTheRoundWasSpent) {
  test::SocketPair ends = test::socket_pair();
  std::size_t ahead = 0;
  const Buffer chunk(4096);
  for (ssize_t sent = 0; (sent = send(ends.server.get(), chunk.data(), chunk.size(), 0)) > 0;)
    ahead += static_cast<std::size_t>(sent);
  connections_.adopt({std::move(ends.server), {kLoopback4, next_port_++}}, listen_address_,
                     ClientConnections::Service::turn, now_);
  TlsClient client(std::move(ends.client));
  // Its first flight; what lies ahead of the answer is not of TLS, so that nothing is read yet.
  test::SocketPair hello = test::socket_pair();
  const int own = dup(client.fd());
  SSL_set_fd(client.ssl(), hello.client.get());
  EXPECT_FALSE(client.step());
  std::array<char, 4096> flight{};
  const ssize_t size = recv(hello.server.get(), flight.data(), flight.size(), 0);
  ASSERT_EQ(send(own, flight.data(), static_cast<std::size_t>(size), 0), size);
  serve();
  const auto others = greeting_clients(kHandshakeStepsARound);
  serve_round();
  Buffer space(65536);
  while (ahead > 0) {
    const ssize_t taken = recv(own, space.data(), std::min(space.size(), ahead), 0);
    ASSERT_GT(taken, 0);
    ahead -= static_cast<std::size_t>(taken);
  }
  EXPECT_FALSE(is_answered(client)) << "there was no room for it";
  EXPECT_TRUE(serve_events()) << "in the same round";
  EXPECT_FALSE(is_answered(client));
  SSL_set_fd(client.ssl(), own);
  serve();
  EXPECT_TRUE(is_answered(client));
  shake_hands(client);
  EXPECT_EQ(count(Counter::tls_handshakes), 1U);
  EXPECT_EQ(::close(own), 0);
}

TEST_F(FirstBytes, MayBeTheLastOnesInsideTls) {
  reply_ = {0x40, 0x02, 0x00, 0x00};
  TlsClient client(adopt());
  shake_hands(client);
  ASSERT_TRUE(client.send(as_text(kRequest)));
  // The end of TLS, and no end of the stream below it.
  ASSERT_EQ(SSL_shutdown(client.ssl()), 0);
  serve();
  EXPECT_EQ(frames_, std::vector<Buffer>{kRequest});
  EXPECT_EQ(closed_, 1U);
  EXPECT_EQ(client.receive(), as_text(reply_));
  EXPECT_EQ(client.receive(), "");
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
    connections_.send_media(to, packet, now_);
    connections_.flush();
    sent += 1;
  }
  const Buffer reply = {0x40, 0x02, 0x00, 0x00};
  connections_.send_control(to, reply, now_);
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
  EXPECT_EQ(media + count(Counter::dropped_by_stream_queue), sent);
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
