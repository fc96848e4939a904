#include "io/http/http_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <future>

#include "io/http/connection.h"
#include "io/http/loopback_client.h"
#include "io/http/running_server.h"

namespace offhook::io {
namespace {

using offhook::testing::HttpAnswer;
using offhook::testing::LoopbackClient;
using offhook::testing::RunningServer;
using offhook::testing::Settled;

HttpResponse text_response(std::string body) { return {200, "text/plain", std::move(body), {}}; }

void add_routes(HttpServer& server) {
  server.route("GET", "/hello", [](const HttpRequest&) { return text_response("hello"); });
  server.route("GET", "/echo", [](const HttpRequest& request) {
    return text_response(request.method + "|" + request.path + "|" +
                         std::string(request.query_value("user")) + "|" +
                         std::string(request.header("x-thing")) + "|" + request.client_address.ip.text());
  });
  server.route("POST", "/body", [](const HttpRequest& request) { return text_response(request.body); });
  server.route_prefix("GET", "/files/",
                      [](const HttpRequest& request) { return text_response("files " + request.path); });
  server.route_prefix("GET", "/files/deep/", [](const HttpRequest&) { return text_response("deep"); });
  server.route("GET", "/unchanged", [](const HttpRequest&) {
    return HttpResponse{304, "text/plain", "never sent", {{"ETag", "\"1\""}}};
  });
  server.websocket("/ws", [](WebSocket&, const HttpRequest&) { return WebSocketEvents{}; });
}

class Http : public ::testing::Test {
 protected:
  void SetUp() override {
    add_routes(running_.server());
    running_.start();
  }
  LoopbackClient client() { return LoopbackClient(running_.address()); }
  // One raw request on a connection of its own.
  HttpAnswer ask(std::string_view raw) {
    LoopbackClient one = client();
    one.send(raw);
    return one.read_answer();
  }
  RunningServer running_;
};

TEST_F(Http, AnswersAndKeepsTheConnection) {
  LoopbackClient c = client();
  for (int i = 0; i < 3; ++i) {
    const HttpAnswer answer = c.get("/hello");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.headers.at("content-type"), "text/plain");
    EXPECT_EQ(answer.headers.count("date"), 1U);
  }
}

TEST_F(Http, AnswersPipelinedRequestsInOrder) {
  LoopbackClient c = client();
  c.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /echo?user=x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(c.read_answer().body, "hello");
  EXPECT_EQ(c.read_answer().body, "GET|/echo|x||127.0.0.1");
}

TEST_F(Http, ClosesWhenTheClientAsks) {
  LoopbackClient c = client();
  EXPECT_EQ(c.get("/hello", "Connection: close\r\n").headers.at("connection"), "close");
  EXPECT_TRUE(c.ended());
}

TEST_F(Http, DecodesPathQueryAndHeaders) {
  EXPECT_EQ(client().get("/%65cho?user=J%C3%B6rg%20K&user=second", "X-Thing: a\r\nX-Thing: b\r\n").body,
            "GET|/echo|J\xC3\xB6rg K|a|127.0.0.1");
}

TEST_F(Http, AnswersHeadWithoutBody) {
  LoopbackClient c = client();
  const HttpAnswer answer = c.get("/hello", "", "HEAD");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-length"), "5");
  EXPECT_EQ(c.get("/hello").body, "hello");  // and nothing of a body was in between
}

TEST_F(Http, SendsNoBodyWithNotModified) {
  LoopbackClient c = client();
  const HttpAnswer answer = c.get("/unchanged");
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(answer.headers.at("etag"), "\"1\"");
  EXPECT_EQ(answer.headers.count("content-length"), 0U);
  EXPECT_EQ(c.get("/hello").body, "hello");
}

TEST_F(Http, NamesTheErrorInJson) {
  LoopbackClient c = client();
  const HttpAnswer missing = c.get("/nothing");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.headers.at("content-type"), "application/json");
  EXPECT_EQ(missing.body, R"({"error":{"code":"not_found","message":"There is nothing at this path."}})");
  const HttpAnswer method = c.get("/hello", "", "DELETE");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(c.get("/body").headers.at("allow"), "POST");
  const HttpAnswer upgrade = c.get("/ws");
  EXPECT_EQ(upgrade.status, 426);
  EXPECT_EQ(upgrade.headers.at("upgrade"), "websocket");
}

TEST_F(Http, PrefersTheExactPathThenTheLongestPrefix) {
  LoopbackClient c = client();
  EXPECT_EQ(c.get("/files/a/b").body, "files /files/a/b");
  EXPECT_EQ(c.get("/files/deep/x").body, "deep");
  EXPECT_EQ(c.get("/files").status, 404);
}

TEST_F(Http, ReadsBodies) {
  EXPECT_EQ(ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").body, "abc");
  EXPECT_EQ(ask("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
                .body,
            "abc");
}

TEST_F(Http, SaysContinueToAClientThatWaitsForIt) {
  LoopbackClient c = client();
  c.send("POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(c.read_answer().status, 100);
  c.send("hi");
  EXPECT_EQ(c.read_answer().body, "hi");
}

TEST_F(Http, RefusesWhatIsNotARequest) {
  EXPECT_EQ(ask("nonsense\r\n\r\n").status, 400);
  EXPECT_EQ(ask("GET /hello HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(ask("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 400);
  EXPECT_EQ(ask("GET http://a/hello HTTP/1.1\r\nHost: a\r\n\r\n").status, 400);
  EXPECT_EQ(ask("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n").status, 400);
  EXPECT_EQ(ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
                "chunked\r\n\r\n0\r\n\r\n")
                .status,
            400);
  EXPECT_EQ(
      ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd").status,
      400);
}

TEST_F(Http, LimitsHeaderAndBody) {
  const std::string start = "GET /hello HTTP/1.1\r\nHost: a\r\n";
  std::string sixty_five = start;
  for (int i = 0; i < 64; ++i) sixty_five += "X-" + std::to_string(i) + ": y\r\n";
  std::string two_thousand = start;
  for (int i = 0; i < 2000; ++i) two_thousand += "X-" + std::to_string(i) + ": y\r\n";
  EXPECT_EQ(ask(sixty_five + "\r\n").status, 431);
  EXPECT_EQ(ask(two_thousand + "\r\n").status, 431);
  EXPECT_EQ(ask(start + "X-Long: " + std::string(8 * 1024, 'y') + "\r\n\r\n").status, 431);
  EXPECT_EQ(ask("GET /" + std::string(70'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n").status, 431);
  EXPECT_EQ(ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n").status, 413);
  const std::string body(65536, 'b');
  EXPECT_EQ(ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n" + body).body, body);
  EXPECT_EQ(ask("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" +
                std::string(0x20000, 'c'))
                .status,
            413);
}

TEST_F(Http, GivesEveryConnectionBack) {
  { EXPECT_EQ(client().get("/hello").status, 200); }
  LoopbackClient kept = client();
  EXPECT_EQ(kept.get("/hello").status, 200);
  EXPECT_EQ(running_.on_loop([this] { return running_.server().connection_count(); }), 1U);
  running_.destroy_server();
  EXPECT_TRUE(kept.ended());
}

TEST(HttpServer, ClosesAConnectionWhoseRequestTakesTooLongHoweverItDribbles) {
  HttpServerSettings settings;
  settings.request_timeout = std::chrono::milliseconds(300);
  RunningServer running(settings);
  add_routes(running.server());
  running.start();
  LoopbackClient silent(running.address());
  EXPECT_TRUE(silent.ended());
  LoopbackClient idle(running.address());
  EXPECT_EQ(idle.get("/hello").status, 200);
  EXPECT_TRUE(idle.ended());
  LoopbackClient dribbling(running.address());
  dribbling.send("GET /hello HTTP/1.1\r\nX-Thing: ");
  while (!dribbling.has_input_within(50) && dribbling.send("y")) {
  }
  EXPECT_TRUE(dribbling.ended());
}

TEST(HttpServer, TakesNoMoreConnectionsThanTheLimit) {
  HttpServerSettings settings;
  settings.connections_limit = 1;
  RunningServer running(settings);
  add_routes(running.server());
  running.start();
  LoopbackClient first(running.address());
  EXPECT_EQ(first.get("/hello").status, 200);
  LoopbackClient second(running.address());
  EXPECT_EQ(second.get("/hello").status, 0);
  EXPECT_EQ(first.get("/hello", "Connection: close\r\n").status, 200);
  EXPECT_TRUE(first.ended());
  first.cut();
  int status = 0;
  while (status != 200)
    status = LoopbackClient(running.address()).get("/hello").status;  // until the place is free
}

TEST(HttpServer, LimitsTheConnectionsOfOneNetwork) {
  ControlLoop loop;
  HttpServerSettings settings;
  settings.connections_limit = 5;
  settings.connections_per_address_limit = 2;
  const auto state = std::make_shared<HttpServer::State>(loop, settings);
  const auto ip = [](const char* text) { return *Ip::parse(text); };
  const ConnectionSlot a(state, ip("192.0.2.1"));
  EXPECT_TRUE(state->has_room_for(ip("192.0.2.1")));
  {
    const ConnectionSlot b(state, ip("192.0.2.1"));
    EXPECT_FALSE(state->has_room_for(ip("192.0.2.1")));
    EXPECT_TRUE(state->has_room_for(ip("192.0.2.2")));
  }
  EXPECT_TRUE(state->has_room_for(ip("192.0.2.1")));
  const ConnectionSlot c(state, ip("2001:db8::1"));
  const ConnectionSlot d(state, ip("2001:db8::2"));
  EXPECT_FALSE(state->has_room_for(ip("2001:db8::3"))) << "a /64 is one network";
  EXPECT_TRUE(state->has_room_for(ip("2001:db8:0:1::1")));
  const ConnectionSlot e(state, ip("127.0.0.1"));
  EXPECT_TRUE(state->has_room_for(ip("127.0.0.1"))) << "a proxy on this machine";
  const ConnectionSlot f(state, ip("127.0.0.1"));
  EXPECT_FALSE(state->has_room_for(ip("127.0.0.1"))) << "the limit over all";
}

TEST(HttpServer, SaysWhatToDoWhenItCannotListen) {
  ControlLoop loop;
  HttpServer server(loop, {});
  const auto bound = server.listen({Ip::v4(0x7F000001), 0});
  ASSERT_TRUE(bound);
  const auto again = server.listen(*bound);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().error, EADDRINUSE);
  EXPECT_NE(again.error().message.find("ss -ltnp 'sport = :" + std::to_string(bound->port)),
            std::string::npos);
  const auto foreign = server.listen({Ip::v4(0xCB007101), 0});
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().error, EADDRNOTAVAIL);
  EXPECT_NE(foreign.error().message.find("ip address"), std::string::npos);
}

TEST(HttpServer, AnIpv6ListenerLeavesIpv4Alone) {
  ControlLoop loop;
  HttpServer server(loop, {});
  const auto v6 = server.listen({*Ip::parse("::"), 0});
  if (!v6) {
    EXPECT_TRUE(v6.error().error == EAFNOSUPPORT || v6.error().error == EADDRNOTAVAIL) << v6.error().message;
    return;
  }
  EXPECT_TRUE(server.listen({*Ip::parse("0.0.0.0"), v6->port}));
}

// Leaves no free descriptor while it exists.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::dup(0);
    ::close(next);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next);
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(HttpServer, OutlivesAShortageOfDescriptors) {
  RunningServer running;
  add_routes(running.server());
  running.start();
  LoopbackClient c;
  {
    const NoDescriptors none;
    ASSERT_TRUE(c.connect(running.address()));  // the kernel's backlog takes it
    c.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_FALSE(c.has_input_within(300));
  }
  EXPECT_EQ(c.read_answer().body, "hello");
}

}  // namespace
}  // namespace offhook::io
