#pragma once
// The REST interface over a real signalling service, real credentials and a real relay, on loopback.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "crypto/secure_random.h"
#include "io/http/loopback_client.h"
#include "io/http/running_server.h"
#include "io/store/private_file.h"
#include "service/api/api_service.h"
#include "service/credentials/credentials_service.h"
#include "service/relay/relay_service.h"
#include "service/signal/signal_client.h"
#include "service/signal/signal_service.h"
#include "wire/json/json.h"

namespace offhook::service {

using namespace offhook::testing;

inline const std::string kKey = "the-key-of-the-backend";

// An answer, with the JSON of its body read.
struct ApiAnswer {
  HttpAnswer http;
  std::optional<json::Document> document;

  int status() const { return http.status; }
  // "error.code", "verdict.caller.reason", "calls.0.call": as text; "null" where null, "" where absent.
  std::string at(std::string_view path) const {
    if (!document) return "";
    json::Value value = document->root();
    while (!path.empty()) {
      const std::string_view name = path.substr(0, path.find('.'));
      path.remove_prefix(std::min(name.size() + 1, path.size()));
      if (value.is_array()) {
        const std::size_t index = std::stoul(std::string(name));
        if (index >= value.size()) return "";
        value = value.at(index);
        continue;
      }
      const auto member = value.find(name);
      if (!member) return "";
      value = *member;
    }
    if (value.is_null()) return "null";
    if (const auto text = value.string()) return std::string(*text);
    if (const auto number = value.integer()) return std::to_string(*number);
    if (const auto truth = value.boolean()) return *truth ? "true" : "false";
    return value.is_array() ? "[" + std::to_string(value.size()) + "]" : "{}";
  }
};

class Backend : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "offhook-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    if (!revocations_at_start_.empty()) {
      ASSERT_TRUE(io::write_private_file(folder_ + "/revocations", revocations_at_start_));
    }
    make_credentials();
    make_relay();
    make_signal();
    api_.emplace(running_.loop(), credentials_->api_keys(), credentials_->token_verifier(), actions());
    api_->add_routes(running_.server());
    credentials_->add_routes(running_.server());
    running_.start();
  }
  void TearDown() override {
    running_.stop();
    api_.reset();
    signal_.reset();
    relay_.reset();
    credentials_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string token(std::string_view user) {
    LoopbackClient client(running_.address());
    const HttpAnswer answer = client.get("/api/dev/token?user=" + std::string(user));
    return Received{answer.body}.member("token");
  }
  SignalClient sign_in(std::string_view user) {
    SignalClient client(running_.address());
    EXPECT_EQ(client.hello(token(user)).type(), "welcome");
    return client;
  }

  // With the backend's key, unless `authorization` says something else ("" for none).
  ApiAnswer ask(std::string_view method, std::string_view target, std::string_view body = "",
                std::string_view authorization = "Bearer the-key-of-the-backend",
                std::string_view content_type = "application/json") {
    LoopbackClient client(running_.address());
    std::string headers = "Content-Length: " + std::to_string(body.size()) + "\r\n";
    if (!authorization.empty()) headers += "Authorization: " + std::string(authorization) + "\r\n";
    if (!content_type.empty()) headers += "Content-Type: " + std::string(content_type) + "\r\n";
    client.send(std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: " + client.host() +
                "\r\n" + headers + "\r\n" + std::string(body));
    ApiAnswer answer{client.read_answer(method == "HEAD"), std::nullopt};
    auto document = json::parse(answer.http.body, {.max_bytes = 1 << 20});
    if (document) answer.document = std::move(*document);
    return answer;
  }
  ApiAnswer get(std::string_view target) { return ask("GET", target); }
  ApiAnswer revoke(std::string_view user) {
    return ask("POST", "/api/revocations", R"({"user":")" + std::string(user) + "\"}");
  }

  // A call of this id from one to the other; accepted if asked for.
  static void call(SignalClient& caller, SignalClient& callee, const std::string& id, std::string_view to,
                   bool accept) {
    caller.say(R"("type":"dial","call":")" + id + R"(","to":")" + std::string(to) +
               R"(","media":{"audio":true,"video":false})");
    EXPECT_EQ(callee.next("incoming").member("call"), id);
    callee.say(R"("type":"ringing","call":")" + id + '"');
    EXPECT_EQ(caller.next("ringing").member("call"), id);
    if (!accept) return;
    callee.say(R"("type":"accept","call":")" + id + R"(","media":{"audio":true,"video":false})");
    EXPECT_EQ(caller.next("accepted").member("call"), id);
  }
  static std::string id(int number) { return "c_" + std::string(20, 'x') + std::to_string(10 + number); }

  std::string folder_;
  std::string revocations_at_start_;
  crypto::SecureRandom random_;
  RunningServer running_;
  std::unique_ptr<CredentialsService> credentials_;
  std::unique_ptr<relay::RelayService> relay_;
  std::optional<SignalService> signal_;
  std::optional<ApiService> api_;
  std::size_t relay_refusals_ = 0;  // so often the relay is too busy; set before a request

 private:
  void make_credentials() {
    CredentialsSettings settings;
    settings.state_dir = folder_;
    settings.api_keys = {Secret("another-key-of-it"), Secret(kKey)};
    settings.token_keys.accept_own_secret = true;
    settings.dev = true;
    auto created = CredentialsService::create(std::move(settings), random_);
    ASSERT_TRUE(created) << created.error();
    credentials_ = std::move(*created);
  }
  void make_relay() {
    relay::RelaySettings settings;
    settings.listen_addresses = {*Ip::parse("127.0.0.1")};
    settings.port = 0;
    settings.shards = 2;
    relay_ = std::make_unique<relay::RelayService>(std::move(settings), credentials_->turn_credentials());
    ASSERT_TRUE(relay_->start());
    credentials_->watch(running_.loop(), [this](auto fresh) { relay_->set_credentials(std::move(fresh)); });
  }
  void make_signal() {
    SignalSettings settings;
    settings.call.max_records = 20;
    settings.call.max_blocks_per_user = 5;
    signal_.emplace(running_.loop(), running_.server(), settings, credentials_->token_verifier(), random_,
                    SignalHooks{});
  }
  ApiActions actions() {
    ApiActions actions;
    actions.record = [this](const auto& call) { return signal_->record(call); };
    actions.page = [this](const auto& query) { return signal_->page(query); };
    actions.end_call = [this](const auto& call) { return signal_->end_call(call); };
    actions.place_call = [this](const auto& caller, const auto& callee, auto media) {
      return signal_->place_call(caller, callee, media);
    };
    actions.presence = [this](std::string_view user) { return signal_->presence(user); };
    actions.block = [this](const auto& by, const auto& of) { return signal_->block(by, of); };
    actions.unblock = [this](const auto& by, const auto& of) { signal_->unblock(by, of); };
    actions.blocks = [this](std::string_view user, std::string_view after, std::size_t limit) {
      return signal_->blocks(user, after, limit);
    };
    actions.revoke_tokens = [this](std::string_view user) -> std::optional<TokensRevoked> {
      const auto revocation = credentials_->revoke(user);
      if (!revocation) return std::nullopt;
      return TokensRevoked{revocation->at, revocation->survives_restart};
    };
    actions.end_sessions = [this](std::string_view user) { return signal_->end_sessions_of(user); };
    actions.cut_relay = [this](std::string_view user) {
      if (relay_refusals_ == 0) return relay_->revoke(user);
      relay_refusals_ -= 1;
      return false;
    };
    return actions;
  }
};

}  // namespace offhook::service
