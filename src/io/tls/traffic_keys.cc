#include "io/tls/traffic_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cassert>
#include <memory>
#include <string_view>
#include <utility>

namespace offhook::io {
namespace {

using Purpose = RecordProtection::Purpose;

constexpr std::size_t kMasterSecretBytes = 48;
constexpr std::size_t kRandomBytes = 32;
// RFC 5288 section 3: the part of the nonce that the handshake agrees on.
constexpr std::size_t kGcmSaltBytes = 4;

struct Free {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// OpenSSL takes parameters without const and does not write to them.
OSSL_PARAM octets(const char* name, Bytes bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size());
}
OSSL_PARAM text(const char* name, const char* value) {
  return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(value), 0);
}

bool derive(const char* function, const OSSL_PARAM* params, MutableBytes out) {
  const std::unique_ptr<EVP_KDF, Free> kdf(EVP_KDF_fetch(nullptr, function, nullptr));
  const std::unique_ptr<EVP_KDF_CTX, Free> context(EVP_KDF_CTX_new(kdf.get()));
  return context && EVP_KDF_derive(context.get(), out.data(), out.size(), params) == 1;
}

// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
bool expand_label(const EVP_MD* hash, Bytes secret, std::string_view label, MutableBytes out) {
  std::array<std::uint8_t, 64> space{};
  Writer info(space);
  info.u16(static_cast<std::uint16_t>(out.size()));
  info.u8(static_cast<std::uint8_t>(6 + label.size()));
  info.text("tls13 ");
  info.text(label);
  info.u8(0);
  assert(info.ok());
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  const std::array params{OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                          text(OSSL_KDF_PARAM_DIGEST, EVP_MD_get0_name(hash)),
                          octets(OSSL_KDF_PARAM_KEY, secret), octets(OSSL_KDF_PARAM_INFO, info.written()),
                          OSSL_PARAM_construct_end()};
  return derive("HKDF", params.data(), out);
}

// PRF(master secret, "key expansion", server random + client random) (RFC 5246 section 6.3).
bool expand_master_secret(SSL* connection, const EVP_MD* hash, MutableBytes out) {
  std::array<std::uint8_t, kMasterSecretBytes> master{};
  std::array<std::uint8_t, 2 * kRandomBytes> randoms{};
  if (SSL_SESSION_get_master_key(SSL_get_session(connection), master.data(), master.size()) !=
          master.size() ||
      SSL_get_server_random(connection, randoms.data(), kRandomBytes) != kRandomBytes ||
      SSL_get_client_random(connection, randoms.data() + kRandomBytes, kRandomBytes) != kRandomBytes) {
    return false;
  }
  const std::array params{text(OSSL_KDF_PARAM_DIGEST, EVP_MD_get0_name(hash)),
                          octets(OSSL_KDF_PARAM_SECRET, master),
                          octets(OSSL_KDF_PARAM_SEED, as_bytes("key expansion")),
                          octets(OSSL_KDF_PARAM_SEED, randoms), OSSL_PARAM_construct_end()};
  const bool done = derive("TLS1-PRF", params.data(), out);
  OPENSSL_cleanse(master.data(), master.size());
  return done;
}

std::optional<RecordCipher> cipher_of(const SSL* connection) {
  const TlsVersion version =
      SSL_version(connection) == TLS1_3_VERSION ? TlsVersion::tls13 : TlsVersion::tls12;
  const bool sends_nonce = version == TlsVersion::tls12;
  switch (SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(connection))) {
    case NID_aes_128_gcm:
      return RecordCipher{version, EVP_aes_128_gcm(), sends_nonce};
    case NID_aes_256_gcm:
      return RecordCipher{version, EVP_aes_256_gcm(), sends_nonce};
    case NID_chacha20_poly1305:
      return RecordCipher{version, EVP_chacha20_poly1305(), false};
    default:
      return std::nullopt;
  }
}

// RFC 6066 section 4.
std::size_t content_limit_of(const SSL* connection) {
  const SSL_SESSION* session = SSL_get_session(connection);
  const unsigned power = session == nullptr ? 0 : SSL_SESSION_get_max_fragment_length(session);
  return power == 0 ? kRecordPlaintextLimit : std::size_t{256} << power;
}

int watch_index() {
  static const int kIndex = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

std::uint8_t digit(char letter) {
  return static_cast<std::uint8_t>(letter <= '9' ? letter - '0' : (letter | 0x20) - 'a' + 10);
}

}  // namespace

TrafficSecret::TrafficSecret(Bytes bytes) : size_(static_cast<std::uint8_t>(bytes.size())) {
  assert(bytes.size() <= bytes_.size());
  std::ranges::copy(bytes, bytes_.begin());
}

TrafficSecret::TrafficSecret(TrafficSecret&& other) noexcept : TrafficSecret(other.bytes()) {
  OPENSSL_cleanse(other.bytes_.data(), other.bytes_.size());
  other.size_ = 0;
}

TrafficSecret& TrafficSecret::operator=(TrafficSecret&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

TrafficSecret::~TrafficSecret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

std::optional<RecordProtection> protection_from(const TrafficKeys& keys, RecordProtection::Purpose purpose,
                                                const TrafficSecret& secret, std::uint64_t next) {
  // Keys from nothing everybody could make.
  if (secret.bytes().empty()) return std::nullopt;
  RecordKey key;
  key.key.resize(static_cast<std::size_t>(EVP_CIPHER_get_key_length(keys.cipher.aead)));
  std::optional<RecordProtection> protection;
  if (expand_label(keys.hash, secret.bytes(), "key", key.key) &&
      expand_label(keys.hash, secret.bytes(), "iv", key.iv)) {
    protection = RecordProtection::make(keys.cipher, purpose, key, next);
  }
  OPENSSL_cleanse(key.key.data(), key.key.size());
  return protection;
}

TrafficSecret next_secret(const TrafficKeys& keys, const TrafficSecret& secret) {
  std::array<std::uint8_t, TrafficSecret::kBytesLimit> space{};
  const MutableBytes next = MutableBytes(space).first(secret.bytes().size());
  TrafficSecret made;
  if (expand_label(keys.hash, secret.bytes(), "traffic upd", next)) made = TrafficSecret(next);
  OPENSSL_cleanse(space.data(), space.size());
  return made;
}

void HandshakeWatch::prepare(SSL_CTX* context) { SSL_CTX_set_keylog_callback(context, &note_secret); }

bool HandshakeWatch::watch(SSL* connection) {
  if (SSL_set_ex_data(connection, watch_index(), this) != 1) return false;
  SSL_set_msg_callback(connection, &note_message);
  SSL_set_msg_callback_arg(connection, this);
  return true;
}

// "CLIENT_TRAFFIC_SECRET_0 <client random> <secret>", in hexadecimal.
void HandshakeWatch::note_secret(const SSL* connection, const char* line) {
  auto* watch = static_cast<HandshakeWatch*>(SSL_get_ex_data(connection, watch_index()));
  const std::string_view text(line);
  Direction* direction = nullptr;
  if (watch != nullptr && text.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) direction = &watch->from_client_;
  if (watch != nullptr && text.starts_with("SERVER_TRAFFIC_SECRET_0 ")) direction = &watch->to_client_;
  if (direction == nullptr) return;
  const std::string_view digits = text.substr(text.rfind(' ') + 1);
  std::array<std::uint8_t, TrafficSecret::kBytesLimit> secret{};
  const std::size_t size = digits.size() / 2;
  assert(size <= secret.size());
  for (std::size_t i = 0; i < size; ++i) {
    secret[i] = static_cast<std::uint8_t>((digit(digits[2 * i]) << 4U) | digit(digits[2 * i + 1]));
  }
  *direction = {TrafficSecret(Bytes(secret).first(size)), 0};
  OPENSSL_cleanse(secret.data(), secret.size());
}

void HandshakeWatch::note_message(int is_written, int, int type, const void* bytes, std::size_t size, SSL*,
                                  void* watch) {
  if (type != SSL3_RT_HEADER || size == 0) return;
  auto* self = static_cast<HandshakeWatch*>(watch);
  Direction& direction = is_written != 0 ? self->to_client_ : self->from_client_;
  // TLS 1.2: what follows it is under new keys.
  const bool changes = *static_cast<const std::uint8_t*>(bytes) == SSL3_RT_CHANGE_CIPHER_SPEC;
  direction.records = changes ? 0 : direction.records + 1;
}

std::optional<TrafficKeys> HandshakeWatch::keys(SSL* connection) {
  const auto cipher = cipher_of(connection);
  if (!cipher) return std::nullopt;
  TrafficKeys keys;
  keys.cipher = *cipher;
  keys.hash = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(connection));
  keys.content_limit = content_limit_of(connection);
  if (cipher->version == TlsVersion::tls12) {
    fill_tls12(connection, keys);
  } else {
    fill_tls13(keys);
  }
  if (!keys.from_client.protection || !keys.to_client.protection) return std::nullopt;
  return keys;
}

void HandshakeWatch::fill_tls13(TrafficKeys& keys) {
  keys.from_client.secret = std::move(from_client_.secret);
  keys.to_client.secret = std::move(to_client_.secret);
  keys.from_client.protection =
      protection_from(keys, Purpose::open, keys.from_client.secret, from_client_.records);
  keys.to_client.protection = protection_from(keys, Purpose::seal, keys.to_client.secret, to_client_.records);
}

// Of the block come the client's key, the server's, the client's IV, the server's (RFC 5246 section 6.3).
void HandshakeWatch::fill_tls12(SSL* connection, TrafficKeys& keys) const {
  const auto key_bytes = static_cast<std::size_t>(EVP_CIPHER_get_key_length(keys.cipher.aead));
  const std::size_t iv_bytes = keys.cipher.sends_nonce ? kGcmSaltBytes : RecordKey::kNonceBytes;
  Buffer block(2 * (key_bytes + iv_bytes));
  if (!expand_master_secret(connection, keys.hash, block)) return;
  const auto key_of = [&](std::size_t side) {
    RecordKey key;
    const Bytes ivs = Bytes(block).subspan(2 * key_bytes);
    const Bytes own = Bytes(block).subspan(side * key_bytes, key_bytes);
    key.key.assign(own.begin(), own.end());
    std::ranges::copy(ivs.subspan(side * iv_bytes, iv_bytes), key.iv.begin());
    return key;
  };
  RecordKey client = key_of(0);
  RecordKey server = key_of(1);
  keys.from_client.protection =
      RecordProtection::make(keys.cipher, Purpose::open, client, from_client_.records);
  keys.to_client.protection = RecordProtection::make(keys.cipher, Purpose::seal, server, to_client_.records);
  for (Buffer* secret : {&block, &client.key, &server.key}) OPENSSL_cleanse(secret->data(), secret->size());
}

}  // namespace offhook::io
