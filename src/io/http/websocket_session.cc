#include "io/http/websocket_session.h"

// Before any header of Boost: it says how Asio and Beast are compiled.
#include "io/http/asio.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <utility>

namespace offhook::io {
namespace {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;

// For the answer to the upgrade, and for the peer's half of the closing handshake.
constexpr std::chrono::seconds kHandshakeTimeout{10};
// A message comes in one or a few frames and a few dozen TCP segments; 64 KiB cut into pieces of 64 bytes is
// this many.
constexpr std::size_t kMessagePiecesLimit = 1024;
// RFC 6455 section 5.5: a control frame holds 125 bytes, two of them are the code.
constexpr std::size_t kReasonBytesLimit = 123;

constexpr std::uint16_t kCloseBadMessage = 4400;
constexpr std::uint16_t kCloseForbidden = 4403;
constexpr std::uint16_t kCloseMessageTooBig = 4413;
constexpr std::uint16_t kCloseOverload = 4429;

// Never cuts inside a UTF-8 sequence: the reason of a close frame is UTF-8.
std::string_view cut_reason(std::string_view reason) {
  if (reason.size() <= kReasonBytesLimit) return reason;
  std::size_t size = kReasonBytesLimit;
  while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xC0U) == 0x80U) --size;
  return reason.substr(0, size);
}

class WebSocketSession final : public Connection,
                               public WebSocket,
                               public std::enable_shared_from_this<WebSocketSession> {
 public:
  WebSocketSession(std::shared_ptr<HttpServer::State> server, HttpStream stream, ConnectionSlot slot,
                   HttpRequest request)
      : Connection(std::move(server)),
        stream_(std::move(stream)),
        slot_(std::move(slot)),
        request_(std::move(request)),
        close_timer_(this->server().loop.asio().context) {
    websocket::stream_base::timeout timeout{};
    timeout.handshake_timeout = kHandshakeTimeout;
    timeout.idle_timeout = websocket::stream_base::none();
    timeout.keep_alive_pings = false;  // the protocol has its own ping, which a page can send and count
    stream_.set_option(timeout);
    // Beast would close with 1009; read() enforces the limit with the protocol's own code.
    stream_.read_message_max(0);
    stream_.text(true);
    stream_.auto_fragment(false);
  }

  void accept(const beast::http::request<beast::http::string_body>& upgrade,
              const WebSocketHandler& handler) {
    stream_.async_accept(upgrade, [self = shared_from_this(), handler](error_code error) {
      if (error || self->finished_) return;
      self->events_ = handler(*self, self->request_);
      self->read();
    });
  }

  bool send(std::string text) override {
    if (closing_ || finished_) return false;
    if (queued_bytes_ + text.size() > server().settings.outbound_bytes_limit) {
      drop_queue();
      close(kCloseOverload, "queue_overflow");
      return false;
    }
    queued_bytes_ += text.size();
    queue_.push_back(std::move(text));
    if (!writing_) begin_to_write();
    return true;
  }

  void close(std::uint16_t code, std::string_view reason) override {
    if (closing_ || finished_) return;
    closing_ = true;
    reason_.code = code;
    const std::string_view cut = cut_reason(reason);
    reason_.reason.assign(cut.data(), cut.size());
    close_timer_.expires_after(server().settings.close_timeout);
    close_timer_.async_wait([self = shared_from_this()](error_code canceled) {
      if (!canceled) self->finish();
    });
    if (!writing_) send_close();
  }

  Address client_address() const override { return request_.client_address; }

  void abort() override { finish(); }

 private:
  void read() {
    if (closing_ || finished_) return;  // the closing handshake reads and drops what still comes
    const std::size_t room = server().settings.message_bytes_limit + 1 - buffer_.size();
    stream_.async_read_some(buffer_, room, [self = shared_from_this()](error_code error, std::size_t) {
      self->handle_read(error);
    });
  }

  void handle_read(error_code error) {
    if (finished_) return;
    if (error) return finish();
    if (closing_) return;
    pieces_ += 1;
    if (!stream_.got_text()) return close(kCloseBadMessage, "bad_message: text frames only");
    if (buffer_.size() > server().settings.message_bytes_limit)
      return close(kCloseMessageTooBig, "message too big");
    if (pieces_ > kMessagePiecesLimit) return close(kCloseBadMessage, "bad_message: too many fragments");
    if (stream_.is_message_done()) deliver();
    read();
  }

  // The buffer goes with the message, so that an idle socket is small.
  void deliver() {
    const beast::flat_buffer message = std::exchange(buffer_, beast::flat_buffer());
    pieces_ = 0;
    if (events_.on_message)
      events_.on_message({static_cast<const char*>(message.data().data()), message.size()});
  }

  // Once whoever sends has sent all that there is for now.
  void begin_to_write() {
    writing_ = true;
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
      if (self->finished_) return;
      const bool are_several = self->queue_.size() > 1;
      if (are_several) self->hold_back(true);
      self->write();
    });
  }

  void hold_back(bool held) {
    if (std::exchange(held_back_, held) != held) stream_.next_layer().hold_back(held);
  }

  void write() {
    stream_.async_write(
        asio::buffer(queue_.front()),
        [self = shared_from_this()](error_code error, std::size_t) { self->handle_written(error); });
  }

  void handle_written(error_code error) {
    if (finished_) return;
    if (error) return finish();
    queued_bytes_ -= queue_.front().size();
    queue_.pop_front();
    if (!queue_.empty()) return write();
    writing_ = false;
    hold_back(false);
    if (closing_) send_close();
  }

  // All but the message that is being written: its bytes are borrowed, and a frame cannot be taken back.
  void drop_queue() {
    const std::size_t kept = writing_ ? 1 : 0;
    while (queue_.size() > kept) {
      queued_bytes_ -= queue_.back().size();
      queue_.pop_back();
    }
  }

  void send_close() {
    stream_.async_close(reason_, [self = shared_from_this()](error_code) { self->finish(); });
  }

  void finish() {
    if (finished_) return;
    finished_ = true;
    close_timer_.cancel();
    stream_.next_layer().close();
    const WebSocketEvents events = std::exchange(events_, {});
    if (events.on_closed) events.on_closed();
  }

  websocket::stream<HttpStream, false> stream_;  // false: no permessage-deflate, so nothing to inflate
  ConnectionSlot slot_;
  HttpRequest request_;
  WebSocketEvents events_;
  beast::flat_buffer buffer_;  // of the message being read
  std::size_t pieces_ = 0;     // reads that made it so far
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool writing_ = false;    // or about to
  bool held_back_ = false;  // until the queue is empty
  bool closing_ = false;
  bool finished_ = false;
  websocket::close_reason reason_;
  asio::steady_timer close_timer_;
};

}  // namespace

void serve_websocket(std::shared_ptr<HttpServer::State> server, HttpStream stream, ConnectionSlot slot,
                     const beast::http::request<beast::http::string_body>& upgrade,
                     const HttpRequest& request, const WebSocketHandler& handler) {
  std::make_shared<WebSocketSession>(std::move(server), std::move(stream), std::move(slot), request)
      ->accept(upgrade, handler);
}

void refuse_websocket(std::shared_ptr<HttpServer::State> server, HttpStream stream, ConnectionSlot slot,
                      const beast::http::request<beast::http::string_body>& upgrade,
                      const HttpRequest& request, Refused why) {
  serve_websocket(std::move(server), std::move(stream), std::move(slot), upgrade, request,
                  [why](WebSocket& refused, const HttpRequest&) {
                    switch (why) {
                      case Refused::foreign_origin:
                        refused.close(kCloseForbidden, "forbidden: origin not allowed");
                        break;
                      case Refused::too_many:
                        refused.close(kCloseOverload, "too_many_connections");
                        break;
                    }
                    return WebSocketEvents{};
                  });
}

}  // namespace offhook::io
