#pragma once
// How one direction of a TLS connection protects its records: RFC 8446 section 5.2 and 5.3 for TLS 1.3, RFC
// 5246 section 6.2.3.3 with RFC 5288 (AES-GCM) and RFC 7905 (ChaCha20-Poly1305) for TLS 1.2. The ciphers
// themselves are OpenSSL's.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"

struct evp_cipher_st;
struct evp_cipher_ctx_st;

namespace offhook::io {

enum class TlsVersion : std::uint8_t { tls12, tls13 };
enum class ContentType : std::uint8_t {  // RFC 8446 section 5.1
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23,
};

inline constexpr std::size_t kRecordHeaderBytes = 5;
// Of plaintext in one record (RFC 8446 section 5.1), and what may be added to it (RFC 5246 section 6.2.3).
inline constexpr std::size_t kRecordPlaintextLimit = 16384;
inline constexpr std::size_t kRecordExpansionLimit = 2048;
inline constexpr std::size_t kRecordLimit =
    kRecordHeaderBytes + kRecordPlaintextLimit + kRecordExpansionLimit;

// A cipher that is AES-GCM or ChaCha20-Poly1305.
struct RecordCipher {
  TlsVersion version = TlsVersion::tls13;
  const evp_cipher_st* aead = nullptr;
  bool sends_nonce = false;  // AES-GCM in TLS 1.2: eight bytes of the nonce stand in the record
};

struct RecordKey {
  static constexpr std::size_t kNonceBytes = 12;
  // As long as the cipher wants it.
  Buffer key;
  // TLS 1.2 with AES-GCM agrees on the first four bytes alone; the others are zero.
  std::array<std::uint8_t, kNonceBytes> iv{};
};

class RecordProtection {
 public:
  enum class Purpose : std::uint8_t { seal, open };
  // `next` is the number of the record that comes next. Nothing if memory has run out.
  static std::optional<RecordProtection> make(RecordCipher cipher, Purpose purpose, const RecordKey& key,
                                              std::uint64_t next);

  // The number of the record that comes next.
  std::uint64_t next() const { return next_; }
  // What a record is longer than its content.
  std::size_t overhead() const;
  // The whole record at the front of `space`; its size, 0 if memory has run out. `space` has room for the
  // content and overhead(), and does not overlap `content`, which is no longer than kRecordPlaintextLimit.
  [[nodiscard]] std::size_t seal(ContentType type, Bytes content, MutableBytes space);

  enum class Fault : std::uint8_t { none, bad_mac, overflow, no_content };
  struct Opened {
    Fault fault = Fault::none;
    ContentType type = ContentType::application_data;
    Bytes content;  // within the record, where it has been deciphered
  };
  // A whole record with its header.
  [[nodiscard]] Opened open(MutableBytes record);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Nonce = std::array<std::uint8_t, RecordKey::kNonceBytes>;

  explicit RecordProtection(evp_cipher_ctx_st* context) : context_(context) {}
  std::size_t sent_nonce_bytes() const { return cipher_.sends_nonce ? 8 : 0; }
  Nonce nonce() const;
  // What is authenticated along with the content (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3).
  struct Associated {
    std::array<std::uint8_t, 13> bytes{};
    std::size_t size = 0;
  };
  Associated associated(Bytes header, std::size_t content_bytes) const;

  std::unique_ptr<evp_cipher_ctx_st, Free> context_;
  RecordCipher cipher_;
  std::array<std::uint8_t, RecordKey::kNonceBytes> iv_{};
  std::uint64_t next_ = 0;
};

}  // namespace offhook::io
