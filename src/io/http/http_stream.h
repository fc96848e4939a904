#pragma once
// The byte stream of one HTTP connection or WebSocket, in the clear or by TLS, with one deadline for what is
// under way. An AsyncStream to Beast. For io/http alone.

// Before any header of Boost: it says how Asio and Beast are compiled.
#include "io/http/asio.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "io/tls/tls_connection.h"

namespace offhook::io {

class HttpStream {
 public:
  using executor_type = asio::any_io_executor;
  using error_code = boost::system::error_code;

  // `tls` has finished its handshake over `socket`.
  HttpStream(tcp::socket socket, std::optional<TlsConnection> tls);

  executor_type get_executor() { return state_->socket.get_executor(); }
  tcp::socket& socket() { return state_->socket; }
  bool is_tls() const { return state_->tls.has_value(); }

  // Closes the socket if what is under way, or begins later, is not over by then. The last call counts.
  void expires_after(std::chrono::milliseconds span);
  void expires_never();
  // What is under way ends with an error.
  void close();
  // While it is held back, what is written waits for more, so that several small messages go out as one
  // segment: each segment costs more than all else of a message. The kernel waits 200 ms at most.
  void hold_back(bool held);
  // Tells the peer that nothing more comes; it may still send. False if it is gone.
  bool end_sending();

  template <typename Buffers, typename Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    return asio::async_compose<Handler, void(error_code, std::size_t)>(
        Transfer<Buffers, Direction::read>(*state_, buffers), handler, state_->socket);
  }
  template <typename Buffers, typename Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    return asio::async_compose<Handler, void(error_code, std::size_t)>(
        Transfer<Buffers, Direction::write>(*state_, buffers), handler, state_->socket);
  }

  // What Beast asks of a stream below a WebSocket.
  friend void beast_close_socket(HttpStream& stream) { stream.close(); }
  friend void teardown(boost::beast::role_type role, HttpStream& stream, error_code& error) {
    if (stream.state_->tls) stream.state_->tls->send_close();
    boost::beast::websocket::teardown(role, stream.socket(), error);
  }
  template <typename Handler>
  friend void async_teardown(boost::beast::role_type role, HttpStream& stream, Handler&& handler) {
    if (stream.state_->tls) stream.state_->tls->send_close();
    boost::beast::websocket::async_teardown(role, stream.socket(), std::forward<Handler>(handler));
  }

 private:
  enum class Direction : std::uint8_t { read, write };

  // Operations refer to it: it stays where it is when the stream moves.
  struct State {
    State(tcp::socket the_socket, std::optional<TlsConnection> the_tls)
        : socket(std::move(the_socket)), tls(std::move(the_tls)), deadline(socket.get_executor()) {}

    tcp::socket socket;
    std::optional<TlsConnection> tls;
    asio::steady_timer deadline;
    std::uint64_t setting = 0;  // of the deadline; a timer's completion with an older one does nothing
  };

  // One read or write. Small pieces are gathered: each TLS write is a record of its own.
  static constexpr std::size_t kGatheredBytesLimit = 16 * 1024;

  template <typename Buffers, Direction kDirection>
  class Transfer {
   public:
    Transfer(State& state, const Buffers& buffers) : state_(state), buffers_(buffers) {}

    template <typename Self>
    void operator()(Self& self, error_code error = {}, std::size_t bytes = 0) {
      if (!state_.tls) return in_the_clear(self, error, bytes);
      if (error) return self.complete(error, 0);
      if (done_) return self.complete(result_, bytes_);
      const auto transfer = by_tls();
      switch (transfer.status) {
        case TlsConnection::Status::wants_read:
          return wait(self, tcp::socket::wait_read);
        case TlsConnection::Status::wants_write:
          return wait(self, tcp::socket::wait_write);
        case TlsConnection::Status::ended:
          result_ = asio::error::eof;
          break;
        case TlsConnection::Status::done:
          bytes_ = transfer.bytes;
          break;
      }
      if (waited_) return self.complete(result_, bytes_);
      done_ = true;  // a handler never runs within the call that it was given to
      asio::post(state_.socket.get_executor(), std::move(self));
    }

   private:
    template <typename Self>
    void in_the_clear(Self& self, error_code error, std::size_t bytes) {
      if (std::exchange(waited_, true)) return self.complete(error, bytes);
      // Both go with `self` when it moves.
      State& state = state_;
      const Buffers buffers = buffers_;
      if constexpr (kDirection == Direction::read) {
        state.socket.async_read_some(buffers, std::move(self));
      } else {
        state.socket.async_write_some(buffers, std::move(self));
      }
    }

    template <typename Self>
    void wait(Self& self, tcp::socket::wait_type what) {
      waited_ = true;
      State& state = state_;
      state.socket.async_wait(what, std::move(self));
    }

    TlsConnection::Transfer by_tls() {
      if (!state_.socket.is_open()) return {};
      if constexpr (kDirection == Direction::read) {
        for (auto at = asio::buffer_sequence_begin(buffers_); at != asio::buffer_sequence_end(buffers_);
             ++at) {
          const asio::mutable_buffer space = *at;
          if (space.size() > 0)
            return state_.tls->read({static_cast<std::uint8_t*>(space.data()), space.size()});
        }
        return {TlsConnection::Status::done, 0};
      } else {
        if (gathered_.empty()) {
          gathered_.resize(std::min(asio::buffer_size(buffers_), kGatheredBytesLimit));
          asio::buffer_copy(asio::buffer(gathered_), buffers_);
        }
        if (gathered_.empty()) return {TlsConnection::Status::done, 0};
        return state_.tls->write(gathered_);
      }
    }

    State& state_;
    Buffers buffers_;
    Buffer gathered_;  // of a write: a retry offers the same bytes
    bool waited_ = false;
    bool done_ = false;
    error_code result_;
    std::size_t bytes_ = 0;
  };

  std::shared_ptr<State> state_;
};

}  // namespace offhook::io
