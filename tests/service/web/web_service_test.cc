#include "service/web/web_service.h"

#include <gtest/gtest.h>

#include <vector>

#include "io/http/loopback_client.h"
#include "io/http/running_server.h"

namespace offhook::service {
namespace {

using namespace offhook::testing;

std::span<const unsigned char> bytes(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

const WebAsset kAssets[] = {
    {"/index.html", "text/html; charset=utf-8", bytes("<p>page</p>")},
    {"/check.html", "text/html; charset=utf-8", bytes("<p>check</p>")},
    {"/assets/app-0a1B2_3d.js", "text/javascript; charset=utf-8", bytes("app()")},
    {"/assets/logo.svg", "image/svg+xml", bytes("<svg/>")},
    {"/sdk/offhook.js", "text/javascript; charset=utf-8", bytes("export {}")},
};

class Web : public ::testing::Test {
 protected:
  void SetUp() override {
    add_web_routes(running_.server(), kAssets, [this] { return readiness_; });
    running_.start();
    client_.emplace(running_.address());
  }
  Readiness readiness_{true, ""};  // changed between requests alone
  RunningServer running_;
  std::optional<LoopbackClient> client_;
};

TEST_F(Web, ServesThePageWithItsGuards) {
  const HttpAnswer page = client_->get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "<p>page</p>");
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.headers.at("cache-control"), "no-cache");
  EXPECT_EQ(page.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(page.headers.at("referrer-policy"), "no-referrer");
  EXPECT_EQ(page.headers.at("permissions-policy"), "camera=(self), microphone=(self)");
  const std::string& policy = page.headers.at("content-security-policy");
  for (const char* directive :
       {"default-src 'self';", "connect-src 'self' ws: wss:;", "media-src 'self' blob: mediastream:;",
        "img-src 'self' data: blob:;", "style-src 'self';", "frame-ancestors 'none'"}) {
    EXPECT_NE(policy.find(directive), std::string::npos) << directive;
  }
  EXPECT_EQ(client_->get("/index.html").body, page.body);
  EXPECT_EQ(client_->get("/check").body, "<p>check</p>");
  EXPECT_EQ(client_->get("/index").status, 404);
}

TEST_F(Web, KeepsForEverOnlyWhatIsNamedByItsHash) {
  EXPECT_EQ(client_->get("/assets/app-0a1B2_3d.js").headers.at("cache-control"),
            "public, max-age=31536000, immutable");
  EXPECT_EQ(client_->get("/assets/logo.svg").headers.at("cache-control"), "no-cache");
  EXPECT_EQ(client_->get("/sdk/offhook.js").headers.at("cache-control"), "no-cache");
}

TEST_F(Web, AnswersNotModifiedToAKnownTag) {
  const std::string tag = client_->get("/").headers.at("etag");
  EXPECT_NE(client_->get("/check").headers.at("etag"), tag);
  for (const std::string& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
    const HttpAnswer answer = client_->get("/", "If-None-Match: " + known + "\r\n");
    EXPECT_EQ(answer.status, 304) << known;
    EXPECT_EQ(answer.headers.at("etag"), tag);
  }
  EXPECT_EQ(client_->get("/", "If-None-Match: \"x\"\r\n").status, 200);
}

TEST_F(Web, LetsPagesOfOtherOriginsImportTheSdkAlone) {
  EXPECT_EQ(client_->get("/sdk/offhook.js").headers.at("access-control-allow-origin"), "*");
  EXPECT_EQ(client_->get("/").headers.count("access-control-allow-origin"), 0U);
}

TEST_F(Web, AnswersHeadWithTheSize) {
  const HttpAnswer answer = client_->get("/", "", "HEAD");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-length"), "11");
}

TEST_F(Web, TellsHealthAndReadiness) {
  EXPECT_EQ(client_->get("/healthz").body, R"({"status":"ok"})");
  EXPECT_EQ(client_->get("/readyz").body, R"({"ready":true,"reason":""})");
  running_.on_loop([this] { readiness_ = {false, "the relay \"echo\" has not passed"}; });
  const HttpAnswer answer = client_->get("/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"ready":false,"reason":"the relay \"echo\" has not passed"})");
  EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
}

TEST(EmbeddedAssets, HoldThePage) {
  RunningServer running;
  add_web_routes(running.server(), [] { return Readiness{true, ""}; });
  running.start();
  LoopbackClient client(running.address());
  EXPECT_EQ(client.get("/").status, 200);
  EXPECT_EQ(client.get("/sdk/offhook.js").status, 200);
}

}  // namespace
}  // namespace offhook::service
