#pragma once
// What carries the messages of many clients, or of many peers, a batch at a time: one UDP socket that speaks
// for all of them (namespace_socket.h), or a TCP or TLS connection for each (stream_sockets.h).

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace offhook::bench {

// IPv4 address (host order) and port: what the inner loop compares.
struct Endpoint {
  std::uint32_t ip = 0;
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

class MessageSockets {
 public:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kMessageBytesLimit = 2048;

  struct Received {
    Bytes message;  // one datagram, or one whole message of a stream; valid until the next receive()
    std::uint32_t local_ip = 0;
    Endpoint remote;
  };

  MessageSockets() = default;
  MessageSockets(const MessageSockets&) = delete;
  MessageSockets& operator=(const MessageSockets&) = delete;
  virtual ~MessageSockets() = default;

  // What is there now; never waits. The error: a connection is lost.
  virtual Result<std::span<const Received>, std::string> receive() = 0;
  // Waits until something can be received, at most this long.
  virtual void wait_readable(int timeout_ms) const = 0;

  // Room for one message from `local_ip` to `remote`; flush() sends it. At most kBatch between two flushes,
  // `bytes` at most kMessageBytesLimit; valid until the next queue().
  virtual MutableBytes queue(std::uint32_t local_ip, const Endpoint& remote, std::size_t bytes) = 0;
  virtual std::size_t queued() const = 0;
  virtual Result<void, std::string> flush() = 0;
};

}  // namespace offhook::bench
