// How often one address may ask, and paths with a placeholder.

#include <gtest/gtest.h>

#include "io/http/loopback_client.h"
#include "io/http/running_server.h"

namespace offhook::io {
namespace {

using offhook::testing::CloseFrame;
using offhook::testing::HttpAnswer;
using offhook::testing::LoopbackClient;
using offhook::testing::RunningServer;

HttpResponse text_response(std::string body) { return {200, "text/plain", std::move(body), {}}; }

HttpServerSettings one_a_second() {
  HttpServerSettings settings;
  settings.requests_per_second = 1;
  settings.websockets_per_second = 1;
  settings.exempt_loopback = false;
  return settings;
}

// What comes back in between at one a second is far less than the burst.
constexpr int kMoreThanTheBurst = 3 * static_cast<int>(kAddressBurstSeconds);

TEST(HttpLimits, AFloodOfRequestsIsToldWhenToComeBack) {
  RunningServer running(one_a_second());
  running.server().route("GET", "/hello", [](const HttpRequest&) { return text_response("hello"); });
  running.start();
  LoopbackClient client(running.address());
  HttpAnswer refused;
  int served = 0;
  for (int i = 0; i < kMoreThanTheBurst && refused.status != 429; ++i) {
    refused = client.get("/hello");
    served += refused.status == 200 ? 1 : 0;
  }
  EXPECT_EQ(refused.status, 429);
  EXPECT_GE(served, static_cast<int>(kAddressBurstSeconds));
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_NE(refused.body.find(R"("code":"too_many_requests")"), std::string::npos) << refused.body;
  running.stop();
}

TEST(HttpLimits, AFloodOfWebSocketsIsClosedWithItsCode) {
  HttpServerSettings settings = one_a_second();
  settings.requests_per_second = 0;
  RunningServer running(settings);
  running.server().websocket("/ws", [](WebSocket& socket, const HttpRequest&) {
    socket.close(1000, "served");
    return WebSocketEvents{};
  });
  running.start();
  CloseFrame last;
  int served = 0;
  for (int i = 0; i < kMoreThanTheBurst && last.code != 4429; ++i) {
    LoopbackClient client(running.address());
    ASSERT_EQ(client.upgrade("/ws").status, 101);
    last = client.read_close();
    served += last.code == 1000 ? 1 : 0;
  }
  EXPECT_EQ(last.code, 4429);
  EXPECT_EQ(last.reason, "too_many_connections");
  EXPECT_GE(served, static_cast<int>(kAddressBurstSeconds));
  running.stop();
}

TEST(HttpLimits, LoopbackIsAProxyUnlessToldOtherwise) {
  HttpServerSettings settings = one_a_second();
  settings.exempt_loopback = true;
  RunningServer running(settings);
  running.server().route("GET", "/hello", [](const HttpRequest&) { return text_response("hello"); });
  running.start();
  LoopbackClient client(running.address());
  for (int i = 0; i < kMoreThanTheBurst; ++i) ASSERT_EQ(client.get("/hello").status, 200);
  running.stop();
}

class Placeholders : public ::testing::Test {
 protected:
  void SetUp() override {
    HttpServer& server = running_.server();
    const auto second = [](const HttpRequest& request) { return text_response(request.segments[1]); };
    server.route("GET", "/a/{x}", second);
    server.route("DELETE", "/a/{x}", second);
    server.route("POST", "/a/{x}/end",
                 [](const HttpRequest& r) { return text_response("end " + r.segments[1]); });
    server.route("GET", "/a/exact", [](const HttpRequest&) { return text_response("the exact one"); });
    server.route_prefix("GET", "/a/", [](const HttpRequest&) { return text_response("prefix"); });
    running_.start();
    client_.emplace(running_.address());
  }
  RunningServer running_;
  std::optional<LoopbackClient> client_;
};

TEST_F(Placeholders, TakeOneSegmentDecodedAndNeverAnEmptyOne) {
  EXPECT_EQ(client_->get("/a/b").body, "b");
  EXPECT_EQ(client_->get("/a/b%2Fc%20d").body, "b/c d");
  EXPECT_EQ(client_->get("/a/exact").body, "the exact one");
  EXPECT_EQ(client_->get("/a/b/c").body, "prefix");
  EXPECT_EQ(client_->get("/a/").body, "prefix");
  EXPECT_EQ(client_->get("/a/b/end", "Content-Length: 0\r\n", "POST").body, "end b");
}

TEST_F(Placeholders, HaveMethodsOfTheirOwn) {
  HttpAnswer answer = client_->get("/a/b", "Content-Length: 0\r\n", "POST");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.at("allow"), "DELETE, GET, HEAD");
  answer = client_->get("/a/b/end");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.at("allow"), "POST");
}

TEST_F(Placeholders, AreListedAsTheyWereRegistered) {
  const std::vector<HttpRoute> routes = running_.on_loop([this] { return running_.server().routes(); });
  EXPECT_EQ(routes, (std::vector<HttpRoute>{{"GET", "/a/exact"},
                                            {"DELETE", "/a/{x}"},
                                            {"GET", "/a/{x}"},
                                            {"POST", "/a/{x}/end"},
                                            {"GET", "/a/*"}}));
}

}  // namespace
}  // namespace offhook::io
