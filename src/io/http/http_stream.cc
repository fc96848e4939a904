#include "io/http/http_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace offhook::io {

HttpStream::HttpStream(tcp::socket socket, std::optional<TlsConnection> tls)
    : state_(std::make_shared<State>(std::move(socket), std::move(tls))) {}

void HttpStream::expires_after(std::chrono::milliseconds span) {
  const std::uint64_t setting = ++state_->setting;
  state_->deadline.expires_after(span);
  state_->deadline.async_wait([weak = std::weak_ptr(state_), setting](error_code) {
    const auto state = weak.lock();
    if (!state || state->setting != setting) return;
    error_code ignored;  // the socket is gone either way
    state->socket.close(ignored);
  });
}

void HttpStream::expires_never() {
  state_->setting += 1;
  state_->deadline.cancel();
}

void HttpStream::close() {
  expires_never();
  error_code ignored;  // the socket is gone either way
  state_->socket.close(ignored);
}

void HttpStream::hold_back(bool held) {
  const int option = held ? 1 : 0;
  // A socket that refuses sends each message for itself.
  (void)::setsockopt(state_->socket.native_handle(), IPPROTO_TCP, TCP_CORK, &option, sizeof option);
}

bool HttpStream::end_sending() {
  if (state_->tls) state_->tls->send_close();
  error_code error;
  state_->socket.shutdown(tcp::socket::shutdown_send, error);
  return !error;
}

}  // namespace offhook::io
