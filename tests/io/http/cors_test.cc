// What pages of other origins may read (Fetch standard, "HTTP-CORS protocol").

#include <gtest/gtest.h>

#include "io/http/http_server.h"
#include "io/http/loopback_client.h"
#include "io/http/running_server.h"

namespace offhook::io {
namespace {

using namespace offhook::testing;

constexpr std::string_view kApp = "Origin: https://app.example\r\n";
constexpr std::string_view kForeign = "Origin: https://evil.example\r\n";
constexpr std::string_view kAsksGet =
    "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n";

class Cors : public ::testing::Test {
 protected:
  static HttpServerSettings settings() {
    HttpServerSettings s;
    s.allowed_origins = {"https://app.example"};
    return s;
  }
  void SetUp() override {
    HttpServer& server = running_.server();
    server.route("GET", "/api/thing", [](const HttpRequest& request) {
      return request.header("Authorization").empty() ? error_response(401, "token_missing", "Who are you?")
                                                     : HttpResponse{200, "text/plain", "thing", {}};
    });
    server.route("POST", "/api/thing", [](const HttpRequest& request) {
      return HttpResponse{200, "text/plain", request.body, {}};
    });
    server.route("GET", "/sdk/x.js", [](const HttpRequest&) {
      return HttpResponse{200, "text/javascript", "x", {{"Access-Control-Allow-Origin", "*"}}};
    });
    server.websocket("/ws", [](WebSocket&, const HttpRequest&) { return WebSocketEvents{}; });
    running_.start();
    client_.connect(running_.address());
  }
  HttpAnswer ask(std::string_view method, std::string_view path, std::string_view origin,
                 std::string_view more = "") {
    return client_.get(path, std::string(origin) + std::string(more), method);
  }
  static std::string allowed(const HttpAnswer& answer) {
    const auto found = answer.headers.find("access-control-allow-origin");
    return found == answer.headers.end() ? "" : found->second;
  }

  RunningServer running_{settings()};
  LoopbackClient client_;
};

TEST_F(Cors, AnswersThePreflightOfAnAllowedOrigin) {
  const HttpAnswer answer = ask("OPTIONS", "/api/thing", kApp, kAsksGet);
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(allowed(answer), "https://app.example");
  ASSERT_EQ(answer.headers.count("access-control-allow-methods"), 1U);
  EXPECT_EQ(answer.headers.at("access-control-allow-methods"), "GET, HEAD, POST");
  EXPECT_EQ(answer.headers.at("access-control-allow-headers"), "Authorization, Content-Type");
  EXPECT_EQ(answer.headers.at("access-control-max-age"), "600");
  EXPECT_EQ(answer.headers.at("vary"), "Origin");
  EXPECT_EQ(answer.headers.count("content-length"), 0U);
  EXPECT_EQ(allowed(ask("GET", "/api/thing", kApp, "Authorization: Bearer x\r\n")), "https://app.example");
}

TEST_F(Cors, OpensAnswersAndErrorsToAnAllowedOrigin) {
  const HttpAnswer answer = ask("GET", "/api/thing", kApp, "Authorization: Bearer x\r\n");
  EXPECT_EQ(answer.body, "thing");
  EXPECT_EQ(allowed(answer), "https://app.example");
  EXPECT_EQ(answer.headers.at("vary"), "Origin");
  const std::pair<int, HttpAnswer> refusals[] = {
      {401, ask("GET", "/api/thing", kApp)},
      {404, ask("GET", "/nothing", kApp)},
      {405, ask("DELETE", "/api/thing", kApp)},
      {426, ask("GET", "/ws", kApp)},
      {413, ask("POST", "/api/thing", kApp, "Content-Length: 65537\r\n")},
  };
  for (const auto& [status, refusal] : refusals) {
    EXPECT_EQ(refusal.status, status);
    EXPECT_EQ(allowed(refusal), "https://app.example") << status;
  }
}

TEST_F(Cors, TheOwnOriginIsAllowed) {
  const std::string own = "http://" + client_.host();
  EXPECT_EQ(allowed(ask("GET", "/api/thing", "Origin: " + own + "\r\n")), own);
}

TEST_F(Cors, OpensNothingToAForeignOriginAndServesItAllTheSame) {
  for (const std::string_view origin :
       {kForeign, std::string_view("Origin: null\r\n"), std::string_view(),
        std::string_view("Origin: https://app.example\r\nOrigin: https://evil.example\r\n")}) {
    const HttpAnswer answer = ask("GET", "/api/thing", origin, "Authorization: Bearer x\r\n");
    EXPECT_EQ(answer.body, "thing") << origin;
    EXPECT_EQ(allowed(answer), "") << origin;
    EXPECT_EQ(answer.headers.at("vary"), "Origin") << "a cache may have to tell it from an open one";
    const HttpAnswer preflight = ask("OPTIONS", "/api/thing", origin, kAsksGet);
    EXPECT_EQ(preflight.status, 405) << origin;
    EXPECT_EQ(allowed(preflight), "") << origin;
    EXPECT_EQ(preflight.headers.count("access-control-allow-methods"), 0U);
  }
}

TEST_F(Cors, OneRequestsOriginIsNotTheNextOnes) {
  EXPECT_EQ(allowed(ask("GET", "/api/thing", kApp)), "https://app.example");
  EXPECT_EQ(allowed(ask("GET", "/api/thing", "")), "");
}

TEST_F(Cors, IsNoPreflightWithoutARouteOrAQuestion) {
  EXPECT_EQ(ask("OPTIONS", "/nothing", kApp, kAsksGet).status, 404);
  EXPECT_EQ(ask("OPTIONS", "/ws", kApp, kAsksGet).status, 426);
  EXPECT_EQ(ask("OPTIONS", "/api/thing", kApp).status, 405);
}

TEST_F(Cors, WhatIsOpenToAllSaysSoOnce) {
  for (const std::string_view origin : {kApp, kForeign}) {
    LoopbackClient client(running_.address());
    client.send("GET /sdk/x.js HTTP/1.1\r\nHost: " + client.host() + "\r\n" + std::string(origin) + "\r\n");
    const HttpAnswer answer = client.read_answer();
    EXPECT_EQ(allowed(answer), "*");
    EXPECT_EQ(answer.repeated_headers, 0) << "a browser refuses an answer that says it twice";
  }
}

}  // namespace
}  // namespace offhook::io
