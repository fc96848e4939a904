#pragma once
// TLS below a TURN client.

#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "tls_client.h"
#include "turn_client.h"

namespace offhook::test {

class TlsLayer final : public TurnClient::Layer {
 public:
  // Over the socket of `client`, whose handshake is done afterwards.
  explicit TlsLayer(TurnClient& client) : tls_(shared(client.socket())) { EXPECT_TRUE(tls_.handshake()); }

  ssize_t send(Bytes bytes) override {
    return result(SSL_write(tls_.ssl(), bytes.data(), static_cast<int>(bytes.size())));
  }
  ssize_t receive(MutableBytes space) override {
    return result(SSL_read(tls_.ssl(), space.data(), static_cast<int>(space.size())));
  }
  bool buffered() override { return SSL_pending(tls_.ssl()) > 0; }

 private:
  static io::Fd shared(const io::Socket& socket) {
    EXPECT_EQ(fcntl(socket.get(), F_SETFL, O_NONBLOCK), 0);
    return io::Fd(fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  }
  ssize_t result(int count) {
    if (count > 0) return count;
    const int reason = SSL_get_error(tls_.ssl(), count);
    if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) return 0;
    errno = EAGAIN;
    return -1;
  }

  TlsClient tls_;
};

inline std::unique_ptr<TurnClient> turn_over_tls(const Address& server, TurnClient::Login login) {
  auto client = std::make_unique<TurnClient>(server, turn::Transport::tcp, std::move(login));
  client->put_below(std::make_unique<TlsLayer>(*client));
  return client;
}

}  // namespace offhook::test
