#pragma once
// One side of a TLS connection over a non-blocking stream socket, which it borrows. It never
// waits: an answer of wants_read or wants_write says what to wait for before the same call is made again.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "io/tls/record_stream.h"
#include "io/tls/tls_context.h"
#include "io/tls/tls_transfer.h"
#include "io/tls/traffic_keys.h"

struct ssl_st;

namespace offhook::io {

class TlsConnection {
 public:
  using Status = TlsStatus;
  using Transfer = TlsTransfer;

  // What one write() takes at most.
  static constexpr std::size_t kRecordBytesLimit = kRecordPlaintextLimit;

  // Nothing if memory has run out. The handshake comes first.
  static std::optional<TlsConnection> begin(const TlsContext& context, int fd);
  // The client's side: the handshake succeeds only with a certificate for `host` (a name or an address) that
  // the context's authorities vouch for.
  static std::optional<TlsConnection> begin_client(const TlsContext& context, int fd,
                                                   const std::string& host);
  // The same socket under another number, after it went to another thread (io/net/descriptor_queue.h).
  void set_fd(int fd);

  Status handshake();
  // Why the other side's certificate was not good enough; empty if that was not it.
  std::string certificate_fault() const;
  // `space` and `bytes` are not empty.
  Transfer read(MutableBytes space);
  Transfer peek(MutableBytes space);
  // After wants_read or wants_write the next write() begins with the same bytes, at most a record of them;
  // they may have moved, and more may follow them.
  Transfer write(Bytes bytes);
  // Both of a server's connection alone, once the handshake is done.
  // Whether something has left the socket and was not given out, for which no poller will wake.
  bool is_buffering() const;
  // Gives of that; wants_read if it is but a part of a record.
  Transfer read_buffered(MutableBytes space);
  // Tells the peer that nothing more comes (close_notify), if the socket takes it.
  void send_close();

 private:
  struct Free {
    void operator()(ssl_st* connection) const;
  };
  explicit TlsConnection(ssl_st* connection) : ssl_(connection) {}
  static std::optional<TlsConnection> over(const TlsContext& context, int fd);
  Transfer outcome(int result, std::size_t bytes);

  bool take_over();

  std::unique_ptr<ssl_st, Free> ssl_;      // null once records_ goes on
  std::unique_ptr<HandshakeWatch> watch_;  // of a server's handshake
  std::unique_ptr<RecordStream> records_;
};

}  // namespace offhook::io
