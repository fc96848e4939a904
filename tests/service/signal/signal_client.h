#pragma once
// A client of docs/protocol.md on a real socket: numbers its messages, acknowledges nothing by itself.

#include <gtest/gtest.h>

#include <string>

#include "io/http/loopback_client.h"
#include "wire/json/json.h"

namespace offhook::testing {

// A frame that came: its text, and its members by name ("" where absent).
struct Received {
  std::string text;
  std::string member(std::string_view name) const {
    const auto document = json::parse(text, {.max_bytes = 1 << 20});
    if (!document) return "";
    const auto value = document->root().find(name);
    if (!value) return "";
    if (const auto string = value->string()) return std::string(*string);
    if (const auto integer = value->integer()) return std::to_string(*integer);
    if (const auto boolean = value->boolean()) return *boolean ? "true" : "false";
    return "";
  }
  std::string type() const { return member("type"); }
};

class SignalClient {
 public:
  explicit SignalClient(const Address& server) : socket_(server) {
    EXPECT_EQ(socket_.upgrade("/ws").status, 101);
  }

  LoopbackClient& socket() { return socket_; }

  // Sends hello and returns the answer.
  Received hello(const std::string& token) {
    socket_.send_text(R"({"type":"hello","version":1,"token":")" + token + "\"}");
    return welcome();
  }
  Received resume(const std::string& token, const Received& before, std::uint64_t ack,
                  std::uint64_t last_seq) {
    socket_.send_text(R"({"type":"hello","version":1,"token":")" + token + R"(","resume":{"session":")" +
                      before.member("session") + R"(","resume_token":")" + before.member("resume_token") +
                      R"(","ack":)" + std::to_string(ack) + "}}");
    seq_ = last_seq;
    return welcome();
  }
  // A numbered message: `members` without braces, `"type":"ringing","call":"…"`.
  void say(const std::string& members) {
    seq_ += 1;
    socket_.send_text("{" + members + ",\"seq\":" + std::to_string(seq_) + "}");
  }
  std::uint64_t seq() const { return seq_; }
  // The next numbered message. Empty once the connection closed.
  Received next() {
    for (;;) {
      Received received{socket_.read_text()};
      if (received.text.empty() || !received.member("seq").empty()) return received;
    }
  }
  // The next numbered message of this type, which has to come before the connection closes.
  Received next(std::string_view type) {
    for (;;) {
      Received received = next();
      if (received.type() == type) return received;
      if (!received.text.empty()) continue;
      ADD_FAILURE() << "no " << type << " came";
      return received;
    }
  }

 private:
  Received welcome() { return Received{socket_.read_text()}; }

  LoopbackClient socket_;
  std::uint64_t seq_ = 0;
};

}  // namespace offhook::testing
