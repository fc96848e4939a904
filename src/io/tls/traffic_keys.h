#pragma once
// What a handshake of OpenSSL has agreed on, for whoever protects the records after it.

#include <array>
#include <cstdint>
#include <optional>

#include "io/tls/record_protection.h"

struct ssl_st;
struct ssl_ctx_st;
struct evp_md_st;

namespace offhook::io {

// A secret of TLS 1.3 from which the keys of one direction come (RFC 8446 section 7.1), and from which, when
// the direction changes its keys, the next such secret comes (section 7.2). Wiped when it goes.
class TrafficSecret {
 public:
  TrafficSecret() = default;
  // Precondition: at most kBytesLimit bytes.
  explicit TrafficSecret(Bytes bytes);
  TrafficSecret(const TrafficSecret&) = delete;
  TrafficSecret& operator=(const TrafficSecret&) = delete;
  TrafficSecret(TrafficSecret&& other) noexcept;
  TrafficSecret& operator=(TrafficSecret&& other) noexcept;
  ~TrafficSecret();

  static constexpr std::size_t kBytesLimit = 48;  // of SHA-384
  Bytes bytes() const { return Bytes(bytes_).first(size_); }

 private:
  std::array<std::uint8_t, kBytesLimit> bytes_{};
  std::uint8_t size_ = 0;
};

struct TrafficKeys {
  struct Direction {
    std::optional<RecordProtection> protection;
    TrafficSecret secret;  // empty under TLS 1.2
  };
  RecordCipher cipher;
  const evp_md_st* hash = nullptr;
  std::size_t content_limit = kRecordPlaintextLimit;  // of a record to the client (RFC 6066 section 4)
  Direction from_client;
  Direction to_client;
};

// Makes a direction of TLS 1.3 from its secret; record `next` comes next. Nothing if memory has run out, or
// the secret is empty.
std::optional<RecordProtection> protection_from(const TrafficKeys& keys, RecordProtection::Purpose purpose,
                                                const TrafficSecret& secret, std::uint64_t next);
// The secret after this one. Empty if memory has run out.
TrafficSecret next_secret(const TrafficKeys& keys, const TrafficSecret& secret);

// Listens to a server's handshake. OpenSSL tells the secrets of TLS 1.3 to its key log alone, and how many
// records went under them (tickets) to its trace of messages alone.
class HandshakeWatch {
 public:
  // Every context whose handshakes are watched, once.
  static void prepare(ssl_ctx_st* context);
  // Both live until the handshake is done. False if memory has run out.
  [[nodiscard]] bool watch(ssl_st* connection);
  // Once it is done. Nothing if memory has run out.
  std::optional<TrafficKeys> keys(ssl_st* connection);

 private:
  struct Direction {
    TrafficSecret secret;
    std::uint64_t records = 0;  // under its newest keys
  };
  static void note_secret(const ssl_st* connection, const char* line);
  static void note_message(int is_written, int version, int type, const void* bytes, std::size_t size,
                           ssl_st* connection, void* watch);
  void fill_tls13(TrafficKeys& keys);
  void fill_tls12(ssl_st* connection, TrafficKeys& keys) const;

  Direction from_client_;
  Direction to_client_;
};

}  // namespace offhook::io
