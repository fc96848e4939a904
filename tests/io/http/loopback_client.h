#pragma once
// A blocking client for tests: HTTP/1.1 and RFC 6455 by hand, so that a test can also say what a real client
// never would.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/address.h"
#include "base/bytes.h"

namespace offhook::testing {

// Only a guard against a test that hangs: nothing in a test waits for it to pass.
inline constexpr int kGuardSeconds = 20;

struct HttpAnswer {
  int status = 0;                              // 0: the connection ended before an answer
  std::map<std::string, std::string> headers;  // lower-case names; the last of each
  int repeated_headers = 0;
  std::string body;
};

struct Frame {
  int opcode = -1;  // -1: the connection ended
  bool fin = false;
  std::string payload;
  bool operator==(const Frame&) const = default;
};

struct CloseFrame {
  int code = 0;  // 0: the connection ended without a close frame
  std::string reason;
};

enum Opcode : int { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

class LoopbackClient {
 public:
  LoopbackClient() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval guard{kGuardSeconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof guard);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  explicit LoopbackClient(const Address& server) : LoopbackClient() { connect(server); }
  LoopbackClient(LoopbackClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        received_(std::move(other.received_)),
        host_(std::move(other.host_)) {}
  LoopbackClient& operator=(LoopbackClient&&) = delete;
  ~LoopbackClient() { cut(); }

  bool connect(const Address& server) {
    host_ = "127.0.0.1:" + std::to_string(server.port);
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(server.port);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0;
  }
  // Ends the connection without a word, as a lost network does (but the kernel tells the server).
  void cut() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void limit_receive_buffer(int bytes) { ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }

  // False once the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool has_input_within(int milliseconds) {
    pollfd entry{fd_, POLLIN, 0};
    return !received_.empty() || ::poll(&entry, 1, milliseconds) > 0;
  }
  // True if the server ended the connection; what comes before is dropped.
  bool ended() {
    while (more()) received_.clear();
    return true;
  }

  // ---- HTTP ----
  const std::string& host() const { return host_; }
  HttpAnswer get(std::string_view target, std::string_view headers = "", std::string_view method = "GET") {
    send(std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: " + host_ + "\r\n" +
         std::string(headers) + "\r\n");
    return read_answer(method == "HEAD");
  }
  HttpAnswer read_answer(bool without_body = false) {
    HttpAnswer answer;
    const auto head = take_until("\r\n\r\n");
    if (!head) return answer;
    std::size_t line_end = head->find("\r\n");
    answer.status = std::stoi(head->substr(9, 3));
    for (std::size_t at = line_end + 2; at < head->size(); at = line_end + 2) {
      line_end = head->find("\r\n", at);
      const std::string line = head->substr(at, line_end - at);
      const std::size_t colon = line.find(": ");
      if (colon == std::string::npos) break;
      std::string name = line.substr(0, colon);
      for (char& letter : name) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
      answer.repeated_headers += static_cast<int>(answer.headers.count(name));
      answer.headers[name] = line.substr(colon + 2);
    }
    if (without_body || answer.headers.count("content-length") == 0) return answer;
    answer.body = take(std::stoul(answer.headers["content-length"])).value_or("");
    return answer;
  }

  // ---- WebSocket ----
  HttpAnswer upgrade(std::string_view path, std::string_view headers = "") {
    return get(path,
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                   std::string(headers));
  }
  static std::string frame(int opcode, std::string_view payload, bool fin = true, bool masked = true) {
    std::string bytes(1, static_cast<char>((fin ? 0x80 : 0) | opcode));
    const int mask_bit = masked ? 0x80 : 0;
    if (payload.size() < 126) {
      bytes.push_back(static_cast<char>(mask_bit | static_cast<int>(payload.size())));
    } else {
      const int width = payload.size() < 65536 ? 2 : 8;
      bytes.push_back(static_cast<char>(mask_bit | (width == 2 ? 126 : 127)));
      for (int i = width - 1; i >= 0; --i) bytes.push_back(static_cast<char>(payload.size() >> (8 * i)));
    }
    if (!masked) return bytes + std::string(payload);
    static constexpr char kMask[4] = {0x12, 0x34, 0x56, 0x78};
    bytes.append(kMask, 4);
    for (std::size_t i = 0; i < payload.size(); ++i)
      bytes.push_back(static_cast<char>(payload[i] ^ kMask[i % 4]));
    return bytes;
  }
  bool send_text(std::string_view text) { return send(frame(kText, text)); }

  Frame read_frame() {
    const auto head = take(2);
    if (!head) return {};
    const auto byte = [](char value) { return static_cast<std::uint8_t>(value); };
    Frame result{byte((*head)[0]) & 0x0F, (byte((*head)[0]) & 0x80) != 0, ""};
    std::size_t size = byte((*head)[1]) & 0x7FU;
    if (size >= 126) {
      const auto extended = take(size == 126 ? 2 : 8);
      if (!extended) return {};
      size = 0;
      for (const char value : *extended) size = (size << 8U) | byte(value);
    }
    auto payload = take(size);
    if (!payload) return {};
    result.payload = std::move(*payload);
    return result;
  }
  // The next text message; empty if the connection closes first.
  std::string read_text() {
    const Frame next = read_frame();
    return next.opcode == kText ? next.payload : "";
  }
  // Drops messages until the close frame, and answers it.
  CloseFrame read_close() {
    for (;;) {
      const Frame next = read_frame();
      if (next.opcode == -1) return {};
      if (next.opcode != kClose) continue;
      send(frame(kClose, next.payload));
      if (next.payload.size() < 2) return {1005, ""};
      return {Reader(as_bytes(next.payload)).u16(), next.payload.substr(2)};
    }
  }

 private:
  bool more() {
    char buffer[65536];
    const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
    if (size <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(size));
    return true;
  }
  std::optional<std::string> take(std::size_t size) {
    while (received_.size() < size) {
      if (!more()) return std::nullopt;
    }
    std::string head = received_.substr(0, size);
    received_.erase(0, size);
    return head;
  }
  std::optional<std::string> take_until(std::string_view mark) {
    while (received_.find(mark) == std::string::npos) {
      if (!more()) return std::nullopt;
    }
    return take(received_.find(mark) + mark.size());
  }

  int fd_;
  std::string received_;
  std::string host_;
};

}  // namespace offhook::testing
