#pragma once
// A TCP or TLS connection for each client, from an address of its own inside a network namespace. Messages go
// out joined: what is queued for one client between two flushes is one write.

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/loop/fd.h"
#include "relay_load/message_sockets.h"
#include "wire/turn/stream_framing.h"

namespace offhook::bench {

class StreamSockets final : public MessageSockets {
 public:
  struct Plan {
    std::string netns_path;  // as in namespace.h
    Endpoint server;
    std::size_t count = 0;
    std::uint32_t first_client_ip = 0;  // client i connects from first_client_ip + i
    bool by_tls = false;                // the server's certificate is taken as it is: only its cost counts
    double patience_s = 0;              // for each to connect, handshake included
  };

  // The error names the first client that could not connect in time.
  static Result<std::unique_ptr<StreamSockets>, std::string> connect(const Plan& plan);

  Result<std::span<const Received>, std::string> receive() override;
  void wait_readable(int timeout_ms) const override;
  MutableBytes queue(std::uint32_t local_ip, const Endpoint& remote, std::size_t bytes) override;
  std::size_t queued() const override { return queued_; }
  // What a connection does not take now goes out with a later flush. The error: a connection is lost, or
  // takes nothing at all.
  Result<void, std::string> flush() override;

 private:
  template <auto kFree>
  struct Freed {
    template <typename T>
    void operator()(T* held) const {
      kFree(held);
    }
  };
  struct Connection {
    io::Fd fd;
    std::unique_ptr<SSL, Freed<&SSL_free>> ssl;  // none over TCP
    turn::StreamFramer incoming;
    Buffer outgoing;
    bool is_dirty = false;  // listed in dirty_
    bool has_more = false;  // listed in unread_
  };
  enum class Outcome : std::uint8_t { done, would_block, lost };
  struct Transfer {
    Outcome outcome = Outcome::done;
    std::size_t bytes = 0;
  };

  explicit StreamSockets(const Plan& plan);
  Result<void, std::string> open(std::size_t index);
  // Nothing if the server does not listen.
  Result<std::optional<io::Fd>, std::string> try_to_connect(std::size_t index) const;
  Result<void, std::string> shake_hands(Connection& connection, double deadline_s) const;
  static Transfer read(Connection& connection, MutableBytes into);
  static Transfer write(Connection& connection, Bytes bytes);
  Result<void, std::string> read_all(std::size_t index);
  Result<void, std::string> write_all(std::size_t index);

  const Plan plan_;
  std::unique_ptr<SSL_CTX, Freed<&SSL_CTX_free>> tls_;
  io::Fd epoll_;
  std::vector<Connection> connections_;
  std::vector<std::size_t> dirty_;   // connections with something to write
  std::vector<std::size_t> unread_;  // connections with more to read than one turn takes
  std::vector<Received> received_;
  std::size_t queued_ = 0;
};

}  // namespace offhook::bench
