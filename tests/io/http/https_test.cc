// Connections that others accepted, in the clear and by TLS.

#include <fcntl.h>
#include <gtest/gtest.h>

#include "io/http/http_server.h"
#include "io/http/loopback_client.h"
#include "io/http/running_server.h"
#include "tls_client.h"

namespace offhook::io {
namespace {

using namespace offhook::testing;
using test::TlsClient;

class Https : public ::testing::Test {
 protected:
  static HttpServerSettings settings() {
    HttpServerSettings s;
    s.request_timeout = std::chrono::milliseconds(300);
    s.outbound_bytes_limit = 32 * 1024 * 1024;
    return s;
  }
  void SetUp() override {
    running_.server().route("GET", "/who", [](const HttpRequest& request) {
      return HttpResponse{.body = request.client_address.text() + " at " + request.local_address.text()};
    });
    running_.server().route("GET", "/large",
                            [this](const HttpRequest&) { return HttpResponse{.body = large_}; });
    running_.server().websocket("/ws", [this](WebSocket& socket, const HttpRequest&) {
      return WebSocketEvents{
          [&socket](std::string_view text) { EXPECT_TRUE(socket.send(std::string(text))); },
          [this] { closed_.set(true); }};
    });
    running_.start();
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    ASSERT_EQ(listen(listener_.get(), 8), 0);
    socklen_t length = sizeof any;
    ASSERT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&any), &length), 0);
    port_ = ntohs(any.sin_port);
    host_ = "127.0.0.1:" + std::to_string(port_);
  }
  struct Ends {
    Fd client;
    AcceptedStream server;
  };
  Ends connect() {
    Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    Fd server(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return {std::move(client), {std::move(server), std::nullopt, {*Ip::parse("203.0.113.5"), 777}}};
  }
  void adopt(AcceptedStream stream) {
    running_.on_loop([this, &stream] { running_.server().adopt(std::move(stream)); });
  }
  // A connection by TLS that the server has adopted after `first` has come and its first byte was looked at.
  std::unique_ptr<TlsClient> secured(std::string_view first) {
    Ends ends = connect();
    EXPECT_EQ(fcntl(ends.client.get(), F_SETFL, O_NONBLOCK), 0);
    auto client = std::make_unique<TlsClient>(std::move(ends.client));
    ends.server.tls = TlsConnection::begin(certificate_.context, ends.server.socket.get());
    for (int i = 0; i < 20; ++i) {
      const bool done = client->step();
      if (ends.server.tls->handshake() == TlsConnection::Status::done && done) break;
    }
    if (!first.empty()) {
      EXPECT_TRUE(client->send(first));
      EXPECT_TRUE(test::wait_for(ends.server.socket.get(), POLLIN));
      std::uint8_t byte = 0;
      EXPECT_EQ(ends.server.tls->peek({&byte, 1}).bytes, 1U);
    }
    adopt(std::move(ends.server));
    return client;
  }
  static std::string until(TlsClient& client, std::string_view end) {
    std::string all;
    while (all.find(end) == std::string::npos) {
      const std::string part = client.receive();
      if (part.empty()) break;
      all += part;
    }
    return all;
  }
  std::string get(std::string_view path, std::string_view headers = "") const {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + host_ + "\r\n" + std::string(headers) +
           "\r\n";
  }
  std::string upgrade(std::string_view origin) const {
    return get("/ws",
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: " +
                   std::string(origin) + "\r\n");
  }

  std::string large_ = std::string(3 * 1024 * 1024, 'x') + "end";
  test::ScratchDirectory scratch_;
  Certificate certificate_ = *load_certificate(test::fresh_certificate(scratch_, "a"));
  Settled<bool> closed_;
  RunningServer running_{settings()};
  Fd listener_;
  std::uint16_t port_ = 0;
  std::string host_;
};

TEST_F(Https, AnswersRequestAfterRequest) {
  const auto client = secured(get("/who"));
  const std::string who = "203.0.113.5:777 at " + host_;
  EXPECT_NE(until(*client, who).find("HTTP/1.1 200"), std::string::npos);
  ASSERT_TRUE(client->send(get("/who")));
  EXPECT_NE(until(*client, who).find("HTTP/1.1 200"), std::string::npos);
  // Two at once, and one in pieces.
  ASSERT_TRUE(client->send(get("/who") + get("/who").substr(0, 9)));
  EXPECT_NE(until(*client, who).find(who), std::string::npos);
  ASSERT_TRUE(client->send(get("/who").substr(9)));
  EXPECT_NE(until(*client, who).find(who), std::string::npos);
}

TEST_F(Https, SendsMoreThanTheSocketTakesAtOnce) {
  const auto client = secured(get("/large"));
  std::string answer = until(*client, "\r\n\r\n");
  answer += client->receive_exactly(answer.find("\r\n\r\n") + 4 + large_.size() - answer.size());
  EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), large_);
}

TEST_F(Https, AdoptsConnectionsInTheClearToo) {
  Ends ends = connect();
  const std::string request = get("/who");
  ASSERT_EQ(send(ends.client.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  adopt(std::move(ends.server));
  std::string answer;
  char space[1024];
  while (answer.find("203.0.113.5:777") == std::string::npos) {
    ASSERT_TRUE(test::wait_for(ends.client.get(), POLLIN));
    const ssize_t size = recv(ends.client.get(), space, sizeof space, 0);
    ASSERT_GT(size, 0);
    answer.append(space, static_cast<std::size_t>(size));
  }
}

TEST_F(Https, EndsARequestThatDoesNotCome) {
  const auto client = secured("GET /who HT");
  EXPECT_EQ(client->receive(), "");
  // The client hears of the end before the connection is gone: that takes as many turns of the loop as it
  // takes.
  while (running_.on_loop([this] { return running_.server().connection_count(); }) > 0) {
  }
}

TEST_F(Https, EndsWithACloseNotifyAfterARefusal) {
  const auto client = secured("BAD\r\n\r\n");
  EXPECT_NE(until(*client, "bad_request").find("HTTP/1.1 400"), std::string::npos);
  while (!client->receive().empty()) {
  }
  EXPECT_NE(SSL_get_shutdown(client->ssl()) & SSL_RECEIVED_SHUTDOWN, 0);
}

TEST_F(Https, BecomesAWebSocketForItsOwnHttpsOrigin) {
  const auto client = secured(upgrade("https://" + host_));
  EXPECT_NE(until(*client, "\r\n\r\n").find("HTTP/1.1 101"), std::string::npos);
  for (const std::string& text : {std::string("a"), std::string(60000, 'b')}) {
    ASSERT_TRUE(client->send(LoopbackClient::frame(kText, text)));
    const std::string echoed = LoopbackClient::frame(kText, text, true, false);
    EXPECT_EQ(client->receive_exactly(echoed.size()), echoed);
  }
  ASSERT_TRUE(client->send(LoopbackClient::frame(kClose, "\x03\xE8")));
  EXPECT_EQ(client->receive().substr(0, 4), std::string("\x88\x02\x03\xE8"));
  EXPECT_EQ(client->receive(), "") << "the server ends first (RFC 6455 section 7.1.1)";
  client->cut();
  EXPECT_TRUE(closed_.get());
}

TEST_F(Https, RefusesAPageOfTheSameHostWithoutTls) {
  const auto client = secured(upgrade("http://" + host_));
  std::string all = until(*client, "\r\n\r\n");
  while (all.find("\r\n\r\n") + 8 > all.size()) {
    const std::string part = client->receive();
    ASSERT_FALSE(part.empty());
    all += part;
  }
  const std::string close = all.substr(all.find("\r\n\r\n") + 4);
  EXPECT_EQ(close[0], '\x88');
  EXPECT_EQ(Reader(as_bytes(close.substr(2, 2))).u16(), 4403);
}

TEST_F(Https, ServesManyMessagesInBothDirectionsAtOnce) {
  const auto client = secured(upgrade("https://" + host_));
  EXPECT_NE(until(*client, "\r\n\r\n").find("HTTP/1.1 101"), std::string::npos);
  std::string sent;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string text(1000 + static_cast<std::size_t>(i) * 7, static_cast<char>('a' + i % 26));
    sent += LoopbackClient::frame(kText, text);
    expected += LoopbackClient::frame(kText, text, true, false);
  }
  ASSERT_TRUE(client->send(sent.substr(0, sent.size() / 2)));
  std::string echoed = client->receive_exactly(expected.size() / 3);
  ASSERT_TRUE(client->send(sent.substr(sent.size() / 2)));
  echoed += client->receive_exactly(expected.size() - echoed.size());
  EXPECT_EQ(echoed, expected);
}

TEST_F(Https, IsClosedWithTheServer) {
  const auto idle = secured("");
  const auto open = secured(upgrade("https://" + host_));
  EXPECT_NE(until(*open, "\r\n\r\n").find("HTTP/1.1 101"), std::string::npos);
  running_.destroy_server();
  EXPECT_EQ(idle->receive(), "");
  EXPECT_EQ(open->receive(), "");
  EXPECT_TRUE(closed_.get());
}

}  // namespace
}  // namespace offhook::io
