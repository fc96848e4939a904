#pragma once
// One WebSocket of the load: a client (RFC 6455) without blocking, with as little work as can be.

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "io/loop/fd.h"

namespace offhook::bench {

struct WebSocketPlan {
  sockaddr_in server{};
  in_addr source{};        // each has a range of ports of its own
  std::string target;      // "/ws"
  int receive_buffer = 0;  // bytes; 0: the system's
};

class WebSocket {
 public:
  enum class State : std::uint8_t { connecting, upgrading, open, closed };

  // Whoever uses it. Called from within receive().
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void handle_open() = 0;
    virtual void handle_text(std::string_view text) = 0;
    // The last call. `code` is 0 if the connection ended without a close frame.
    virtual void handle_closed(std::uint16_t code, std::string_view reason) = 0;
  };

  // Begins to connect. The error is the system's, in words.
  static Result<WebSocket, std::string> connect(const WebSocketPlan& plan, Listener& listener);

  int fd() const { return fd_.get(); }
  State state() const { return state_; }
  // Bytes that wait for the kernel to take them: watch for writability while there are.
  bool wants_write() const { return state_ == State::connecting || !unsent_.empty(); }

  // One text frame, masked. Precondition: open.
  void send_text(std::string_view text);
  // The socket is writable: connected, or with room again.
  void handle_writable();
  // Reads once into `space` and tells the listener what that completes.
  void receive(MutableBytes space);
  // Gives it up without a word.
  void cut() { end(0, "cut"); }

 private:
  WebSocket(io::Fd fd, const WebSocketPlan& plan, Listener& listener)
      : fd_(std::move(fd)), listener_(&listener), target_(plan.target) {}

  void send_bytes(std::string_view bytes);
  void take(std::string_view bytes);
  // Both return how many bytes they have used; 0 if more are needed.
  std::size_t take_upgrade(std::string_view bytes);
  std::size_t take_frame(std::string_view bytes);
  void end(std::uint16_t code, std::string_view reason);

  io::Fd fd_;
  Listener* listener_;
  std::string target_;
  State state_ = State::connecting;
  std::string received_;  // the beginning of what is not complete
  std::string unsent_;
};

}  // namespace offhook::bench
