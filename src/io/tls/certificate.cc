#include "io/tls/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "io/store/private_file.h"
#include "io/tls/traffic_keys.h"

namespace offhook::io {
namespace {

// Said this long before the end: a renewal that failed can still be repeated.
constexpr std::int64_t kWarnBeforeEndSeconds = 14 * 86400;
constexpr std::int64_t kDaySeconds = 86400;

// TLS 1.2 with forward secrecy and authenticated encryption alone; those of TLS 1.3 are all like this. AES
// with 128 bits first, as browsers have it: a record of media takes an eighth less of the CPU than with 256.
constexpr const char* kCiphersOfTls12 = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kCiphersOfTls13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// What a client may ask for by ALPN (RFC 7443, RFC 7301); who asks for something else is served all the same.
constexpr unsigned char kProtocols[] =
    "\x08http/1.1"
    "\x09stun.turn"
    "\x12stun.nat-discovery";

using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using X509Pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio reader_of(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all};
}

X509Pointer next_certificate(BIO* from) {
  return {PEM_read_bio_X509(from, nullptr, nullptr, nullptr), &X509_free};
}

std::string last_openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown reason" : reason;
}

// No terminal is asked for a passphrase; that one was wanted is told.
int note_passphrase(char*, int, int, void* wanted) {
  *static_cast<bool*>(wanted) = true;
  return -1;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, kProtocols, sizeof kProtocols - 1, offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

TlsContext new_context() {
  TlsContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  SSL_CTX* raw = context.get();
  if (raw == nullptr || SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(raw, kCiphersOfTls12) != 1 ||
      SSL_CTX_set_ciphersuites(raw, kCiphersOfTls13) != 1) {
    return nullptr;
  }
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  // Partial writes from a queue that may move in memory; an idle connection keeps no buffers.
  SSL_CTX_set_mode(
      raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  HandshakeWatch::prepare(raw);
  // Clients resume by tickets; the server remembers nothing.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(raw, &choose_protocol, nullptr);
  return context;
}

UnixTime to_unix(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return {timegm(&parts)};
}

CertificateNames names_of(const X509* certificate) {
  CertificateNames names;
  auto* all =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
    int type = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &type));
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const unsigned char* data = ASN1_STRING_get0_data(value);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(value));
    if (type == GEN_DNS) {
      names.dns.emplace_back(data, data + size);
    } else if (size == 4) {
      std::array<std::uint8_t, 4> octets{};
      std::copy_n(data, size, octets.begin());
      names.ips.push_back(Ip::v4(octets));
    } else if (size == 16) {
      std::array<std::uint8_t, 16> octets{};
      std::copy_n(data, size, octets.begin());
      names.ips.push_back(Ip::v6(octets));
    }
  }
  GENERAL_NAMES_free(all);
  return names;
}

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

Result<Key, std::string> read_key(const std::string& path, const std::string& text) {
  bool wants_passphrase = false;
  const Bio from = reader_of(text);
  Key key(PEM_read_bio_PrivateKey(from.get(), nullptr, &note_passphrase, &wants_passphrase), &EVP_PKEY_free);
  if (key) return key;
  ERR_clear_error();
  if (wants_passphrase) {
    return fail(
        "the key " + path +
        " is locked with a passphrase, which a server cannot type; write one without: openssl pkey -in " +
        path + " -out key.pem");
  }
  return fail("the key " + path +
              " holds no private key in PEM form (-----BEGIN PRIVATE KEY-----); give the file that was made "
              "with the certificate, such as certbot's privkey.pem");
}

Result<void, std::string> use_chain(SSL_CTX* context, BIO* from, const std::string& path) {
  while (const X509Pointer next = next_certificate(from)) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1)
      return fail("the chain in " + path + " cannot be used: " + last_openssl_error());
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end)
    return fail("a later certificate of the chain in " + path + " is damaged; write the file anew");
  return {};
}

std::string date_of(UnixTime time) {
  const auto seconds = static_cast<std::time_t>(time.seconds);
  std::tm parts{};
  char text[32] = {};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts));
}

}  // namespace

bool CertificateNames::covers(const Ip& ip) const {
  return std::find(ips.begin(), ips.end(), ip) != ips.end();
}

bool CertificateNames::covers(std::string_view name) const {
  const std::size_t dot = name.find('.');
  const std::string_view below_first = dot == std::string_view::npos ? std::string_view() : name.substr(dot);
  return std::any_of(dns.begin(), dns.end(), [&](std::string_view entry) {
    if (same_name(entry, name)) return true;
    return entry.starts_with("*.") && dot != 0 && same_name(entry.substr(1), below_first);
  });
}

std::string CertificateNames::first_name() const {
  const auto found = std::find_if(
      dns.begin(), dns.end(), [](const std::string& name) { return name.find('*') == std::string::npos; });
  return found == dns.end() ? std::string() : *found;
}

Result<Certificate, std::string> load_certificate(const CertificateFiles& files) {
  ERR_clear_error();
  const auto chain_text = read_file(files.certificate);
  if (!chain_text) return fail("the certificate: " + chain_text.error().message);
  const auto key_text = read_file(files.key);
  if (!key_text) return fail("the certificate's key: " + key_text.error().message);

  const Bio chain = reader_of(*chain_text);
  const X509Pointer own = next_certificate(chain.get());
  ERR_clear_error();
  if (!own) {
    return fail("the certificate " + files.certificate +
                " is not in PEM form (-----BEGIN CERTIFICATE-----); give the whole chain, the server's own "
                "first, such as certbot's fullchain.pem (from DER: openssl x509 -inform DER -in " +
                files.certificate + " -out cert.pem)");
  }
  auto key = read_key(files.key, *key_text);
  if (!key) return fail(key.error());
  if (X509_check_private_key(own.get(), key->get()) != 1) {
    ERR_clear_error();
    return fail("the key " + files.key + " does not belong to the first certificate in " + files.certificate +
                "; give the two files of one issue, the server's own certificate first in its file");
  }
  const TlsContext context = new_context();
  if (!context) return fail("TLS cannot be set up: " + last_openssl_error());
  if (SSL_CTX_use_certificate(context.get(), own.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key->get()) != 1) {
    return fail("the certificate " + files.certificate + " cannot be used: " + last_openssl_error() +
                "; have it issued for an ECDSA P-256 or RSA 2048 key");
  }
  if (auto used = use_chain(context.get(), chain.get(), files.certificate); !used) return fail(used.error());
  return Certificate{context, names_of(own.get()), to_unix(X509_get0_notBefore(own.get())),
                     to_unix(X509_get0_notAfter(own.get()))};
}

std::string certificate_warning(const Certificate& certificate, UnixTime now) {
  if (certificate.not_after <= now) {
    return "expired on " + date_of(certificate.not_after) +
           ": browsers refuse it; renew it and write the new one to the same files";
  }
  if (now < certificate.not_before) {
    return "is valid only from " + date_of(certificate.not_before) + " on: check the clock of this machine";
  }
  const std::int64_t left = certificate.not_after.seconds - now.seconds;
  if (left < kWarnBeforeEndSeconds) {
    return "expires on " + date_of(certificate.not_after) + ", in " + std::to_string(left / kDaySeconds) +
           " days: renew it and write the new one to the same files";
  }
  if (certificate.names.dns.empty() && certificate.names.ips.empty()) {
    return "has no subject alternative name: browsers refuse it; have it issued for the server's name";
  }
  return {};
}

}  // namespace offhook::io
