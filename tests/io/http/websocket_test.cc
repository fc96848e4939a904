#include <gtest/gtest.h>

#include <future>

#include "io/http/http_server.h"
#include "io/http/loopback_client.h"
#include "io/http/running_server.h"

namespace offhook::io {
namespace {

using namespace offhook::testing;

// "/ws" echoes; the messages "close", "flood" and "stall" make it do what they say.
class WebSockets : public ::testing::Test {
 protected:
  static HttpServerSettings settings() {
    HttpServerSettings s;
    s.allowed_origins = {"https://app.example"};
    s.outbound_bytes_limit = 32 * 1024 * 1024;
    s.close_timeout = std::chrono::milliseconds(300);
    return s;
  }
  void SetUp() override {
    running_.server().websocket("/ws", [this](WebSocket& socket, const HttpRequest&) {
      served_ += 1;
      return WebSocketEvents{[this, &socket](std::string_view text) { handle(socket, text); },
                             [this] { closed_.set(true); }};
    });
    running_.start();
  }
  void handle(WebSocket& socket, std::string_view text) {
    if (text == "close") return socket.close(4401, std::string(122, 'r') + "\xC3\xB6" + "cut");
    if (text == "flood") {
      while (socket.send(std::string(65536, 'f'))) {
      }
      EXPECT_FALSE(socket.send("more"));
      return;
    }
    if (text == "stall") {
      EXPECT_TRUE(socket.send(std::string(31 * 1024 * 1024, 's')));
      return socket.close(1000, "");
    }
    EXPECT_TRUE(socket.send(std::string(text)));
  }
  LoopbackClient open(std::string_view headers = "") {
    LoopbackClient client(running_.address());
    EXPECT_EQ(client.upgrade("/ws", headers).status, 101);
    return client;
  }
  Settled<bool> closed_;
  int served_ = 0;  // of the loop's thread
  RunningServer running_{settings()};
};

TEST_F(WebSockets, EchoesMessages) {
  LoopbackClient client = open();
  for (const std::string& text : {std::string("a"), std::string(200, 'b'), std::string(65536, 'c')}) {
    client.send_text(text);
    EXPECT_EQ(client.read_text(), text);
  }
  client.send(LoopbackClient::frame(kClose, std::string("\x03\xE8", 2)));
  EXPECT_EQ(client.read_close().code, 1000);
  EXPECT_TRUE(closed_.get());
}

TEST_F(WebSockets, OffersNoCompression) {
  LoopbackClient client(running_.address());
  const HttpAnswer answer = client.upgrade("/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  EXPECT_EQ(answer.status, 101);
  EXPECT_EQ(answer.headers.at("sec-websocket-accept"),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455 section 1.3
  EXPECT_EQ(answer.headers.count("sec-websocket-extensions"), 0U);
}

TEST_F(WebSockets, ClosesAForeignOriginWith4403AndServesItNothing) {
  const std::string own = "http://127.0.0.1:" + std::to_string(running_.address().port);
  for (const std::string& origin :
       {std::string("https://evil.example"), std::string("null"), own + "\r\nOrigin: https://evil.example",
        own + "\r\nOrigin: " + own, own + "1"}) {
    LoopbackClient client(running_.address());
    ASSERT_EQ(client.upgrade("/ws", "Origin: " + origin + "\r\n").status, 101) << origin;
    client.send_text("not heard");
    const Frame first = client.read_frame();
    ASSERT_EQ(first.opcode, kClose) << origin;
    EXPECT_EQ(first.payload,
              "\x11\x33"
              "forbidden: origin not allowed");
    client.send(LoopbackClient::frame(kClose, first.payload));
    EXPECT_TRUE(client.ended());
  }
  EXPECT_EQ(running_.on_loop([this] { return served_; }), 0);
}

TEST_F(WebSockets, AForeignOriginThatDoesNotCloseIsDropped) {
  LoopbackClient client(running_.address());
  ASSERT_EQ(client.upgrade("/ws", "Origin: https://evil.example\r\n").status, 101);
  ASSERT_EQ(client.read_frame().opcode, kClose);
  while (!client.has_input_within(20) && client.send_text("I stay")) {
  }
  EXPECT_TRUE(client.ended());
  while (running_.on_loop([this] { return running_.server().connection_count(); }) > 0) {
  }
}

TEST_F(WebSockets, TakesTheServersOwnOrigin) {
  open("Origin: http://127.0.0.1:" + std::to_string(running_.address().port) + "\r\n");
}

TEST_F(WebSockets, TakesAListedOrigin) { open("Origin: https://app.example\r\n"); }

TEST_F(WebSockets, TakesAClientThatIsNoBrowser) { open(); }

TEST_F(WebSockets, RefusesOtherPathsAndVersions) {
  EXPECT_EQ(LoopbackClient(running_.address()).upgrade("/other").status, 404);
  LoopbackClient old(running_.address());
  EXPECT_EQ(old.get("/ws",
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
                .status,
            426);
  LoopbackClient keyless(running_.address());
  EXPECT_EQ(
      keyless.get("/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n").status,
      400);
}

TEST_F(WebSockets, PutsFragmentsTogetherAndAnswersPings) {
  LoopbackClient client = open();
  client.send(LoopbackClient::frame(kText, "one ", false));
  client.send(LoopbackClient::frame(kPing, "p"));
  client.send(LoopbackClient::frame(kContinuation, "", false));
  client.send(LoopbackClient::frame(kContinuation, "two", true));
  EXPECT_EQ(client.read_frame(), (Frame{kPong, true, "p"}));
  EXPECT_EQ(client.read_text(), "one two");
}

TEST_F(WebSockets, ClosesOnATooBigMessage) {
  LoopbackClient client = open();
  client.send_text(std::string(65537, 'x'));
  const CloseFrame close = client.read_close();
  EXPECT_EQ(close.code, 4413);
  EXPECT_EQ(close.reason, "message too big");
  EXPECT_TRUE(closed_.get());
}

TEST_F(WebSockets, ClosesOnATooBigMessageInFragments) {
  LoopbackClient client = open();
  client.send(LoopbackClient::frame(kText, std::string(40000, 'x'), false));
  client.send(LoopbackClient::frame(kContinuation, std::string(40000, 'x'), false));
  EXPECT_EQ(client.read_close().code, 4413);
}

TEST_F(WebSockets, ClosesOnALyingLengthBeforeItComes) {
  LoopbackClient client = open();
  std::string frame = LoopbackClient::frame(kText, std::string(70'000, 'x'));
  frame[2] = 0x40;  // 2^62 bytes and more
  client.send(frame);
  EXPECT_EQ(client.read_close().code, 4413);
}

TEST_F(WebSockets, ClosesOnTooManyFragments) {
  LoopbackClient client = open();
  std::string fragments = LoopbackClient::frame(kText, "x", false);
  for (int i = 0; i < 2000; ++i) fragments += LoopbackClient::frame(kContinuation, "x", false);
  client.send(fragments);
  const CloseFrame close = client.read_close();
  EXPECT_EQ(close.code, 4400);
  EXPECT_EQ(close.reason, "bad_message: too many fragments");
}

TEST_F(WebSockets, ClosesOnBinary) {
  LoopbackClient client = open();
  client.send(LoopbackClient::frame(kBinary, "x"));
  EXPECT_EQ(client.read_close().code, 4400);
}

TEST_F(WebSockets, ClosesOnBrokenUtf8) {
  LoopbackClient client = open();
  client.send_text("\xFF");
  EXPECT_EQ(client.read_close().code, 1007);
}

TEST_F(WebSockets, ClosesOnAnUnmaskedFrame) {
  LoopbackClient client = open();
  client.send(LoopbackClient::frame(kText, "x", true, false));
  EXPECT_EQ(client.read_close().code, 1002);
}

TEST_F(WebSockets, ClosesWithCodeAndCutReason) {
  LoopbackClient client = open();
  client.send_text("close");
  client.send_text("not heard any more");
  const CloseFrame close = client.read_close();
  EXPECT_EQ(close.code, 4401);
  EXPECT_EQ(close.reason, std::string(122, 'r')) << "123 bytes would end inside a letter";
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(closed_.get());
}

TEST_F(WebSockets, ClosesOnASlowReader) {
  LoopbackClient client = open();
  client.send_text("flood");
  EXPECT_EQ(client.read_text(), std::string(65536, 'f'));  // the one that was on its way
  const CloseFrame close = client.read_close();
  EXPECT_EQ(close.code, 4429);
  EXPECT_EQ(close.reason, "queue_overflow");
}

TEST_F(WebSockets, DropsAReaderThatNeverReads) {
  LoopbackClient client;
  client.limit_receive_buffer(4096);
  client.connect(running_.address());
  ASSERT_EQ(client.upgrade("/ws").status, 101);
  client.send_text("stall");
  EXPECT_TRUE(closed_.get());
}

TEST_F(WebSockets, TellsOfACutConnection) {
  LoopbackClient client = open();
  client.send_text("x");
  EXPECT_EQ(client.read_text(), "x");
  client.cut();
  EXPECT_TRUE(closed_.get());
}

TEST_F(WebSockets, ClosesAllWithTheServer) {
  LoopbackClient client = open();
  client.send_text("x");
  EXPECT_EQ(client.read_text(), "x");
  running_.destroy_server();
  EXPECT_TRUE(closed_.get());
  EXPECT_TRUE(client.ended());
}

TEST_F(WebSockets, EndsWithTheLoopWhileOpen) {
  LoopbackClient client = open();
  client.send_text("x");
  EXPECT_EQ(client.read_text(), "x");
}

}  // namespace
}  // namespace offhook::io
