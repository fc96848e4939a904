#pragma once
// A server's side of a TLS connection once the handshake is done: records in and out of a non-blocking
// stream socket, which it borrows, alerts (RFC 8446 section 6) and changes of keys (section 4.6.3).
//
// OpenSSL's own keeps some 12 KiB for each connection, and with a thousand of them fetches those into the
// caches for each record of media: this keeps 3 KiB, and takes a third of the time.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "io/tls/tls_transfer.h"
#include "io/tls/traffic_keys.h"

namespace offhook::io {

class RecordStream {
 public:
  // Both directions have their protection. No byte behind the handshake has been taken from the socket.
  RecordStream(int fd, TrafficKeys keys) : fd_(fd), keys_(std::move(keys)) {}

  void set_fd(int fd) { fd_ = fd; }

  // What TlsConnection says of each.
  enum class From : std::uint8_t { socket, buffered_alone };
  TlsTransfer read(MutableBytes space, From from);
  TlsTransfer peek(MutableBytes space);
  TlsTransfer write(Bytes bytes);
  bool is_buffering() const { return ended_ || !rest_.empty(); }
  void send_close();

 private:
  enum class Alert : std::uint8_t {  // RFC 8446 section 6
    close_notify = 0,
    unexpected_message = 10,
    bad_record_mac = 20,
    record_overflow = 22,
    illegal_parameter = 47,
    decode_error = 50,
    internal_error = 80,
    user_canceled = 90,
    no_renegotiation = 100,  // TLS 1.2 alone (RFC 5246 section 7.2)
  };
  class Incoming;
  enum class Opened : std::uint8_t { some, incomplete, over };

  bool receive(Incoming& incoming, TlsStatus& status);
  TlsTransfer fill(Incoming& incoming, From from);
  Opened open_next(Incoming& incoming);
  Opened take(const RecordProtection::Opened& record, Incoming& incoming);
  Opened take_handshake(Bytes message);
  Opened take_key_update(std::uint8_t request);
  void note_data();
  Opened take_alert(Bytes message);
  Opened fail_with(Alert alert);
  bool change_keys_from_client();
  bool has_worn_out_keys() const;
  // Its record at the front of `space`; 0 if memory has run out.
  std::size_t change_keys_to_client(MutableBytes space);
  void send_alert(Alert alert);
  TlsTransfer send_sealed(Bytes records, std::size_t content_bytes);
  TlsTransfer send_unsent();

  int fd_;
  TrafficKeys keys_;
  bool ended_ = false;   // nothing more comes
  bool failed_ = false;  // nor goes
  bool closed_ = false;  // the peer has been told that nothing more goes
  bool owes_key_update_ = false;
  std::uint8_t idle_records_ = 0;   // without content, since the last that had some
  std::uint8_t key_updates_ = 0;    // that are held against the client
  std::uint16_t data_records_ = 0;  // since one was forgotten
  Buffer rest_;                     // has left the socket and was not given out: content, then records
  std::size_t rest_content_ = 0;    // of these bytes
  Buffer unsent_;                   // of the records sealed last
  std::size_t unsent_content_ = 0;  // what they carry
};

}  // namespace offhook::io
