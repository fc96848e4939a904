#include "io/tls/tls_connection.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "base/address.h"

namespace offhook::io {
namespace {

// OpenSSL's own socket BIO writes with write(), which raises SIGPIPE when the peer is gone.
int fd_of(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

void set_fd_of(BIO* bio, int fd) { BIO_set_data(bio, reinterpret_cast<void*>(std::intptr_t{fd})); }

bool come_again() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

int receive_some(BIO* bio, char* space, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count = recv(fd_of(bio), space, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (count < 0 && come_again()) BIO_set_retry_read(bio);
  return static_cast<int>(count);
}

int send_some(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count = send(fd_of(bio), bytes, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0 && come_again()) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "offhook socket");
    if (method == nullptr) return method;
    BIO_meth_set_read(method, &receive_some);
    BIO_meth_set_write(method, &send_some);
    BIO_meth_set_ctrl(method, &control);
    return method;
  }();
  return kMethod;
}

int bounded(std::size_t size) { return static_cast<int>(std::min(size, TlsConnection::kRecordBytesLimit)); }

}  // namespace

void TlsConnection::Free::operator()(ssl_st* connection) const { SSL_free(connection); }

std::optional<TlsConnection> TlsConnection::over(const TlsContext& context, int fd) {
  ERR_clear_error();
  TlsConnection connection(SSL_new(context.get()));
  BIO* bio = socket_method() == nullptr ? nullptr : BIO_new(socket_method());
  if (!connection.ssl_ || bio == nullptr) {
    BIO_free(bio);
    return std::nullopt;
  }
  set_fd_of(bio, fd);
  BIO_set_init(bio, 1);
  SSL_set_bio(connection.ssl_.get(), bio, bio);
  return connection;
}

std::optional<TlsConnection> TlsConnection::begin(const TlsContext& context, int fd) {
  auto connection = over(context, fd);
  if (!connection) return std::nullopt;
  connection->watch_ = std::make_unique<HandshakeWatch>();
  if (!connection->watch_->watch(connection->ssl_.get())) return std::nullopt;
  // What stands behind the handshake's records is not OpenSSL's to take (take_over()).
  SSL_set_read_ahead(connection->ssl_.get(), 0);
  SSL_set_accept_state(connection->ssl_.get());
  return connection;
}

std::optional<TlsConnection> TlsConnection::begin_client(const TlsContext& context, int fd,
                                                         const std::string& host) {
  auto connection = over(context, fd);
  if (!connection) return std::nullopt;
  SSL* ssl = connection->ssl_.get();
  SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  // RFC 6066 section 3: an address is not shown as a server name.
  const bool is_address = Ip::parse(host).has_value();
  const bool named =
      is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1
                 : SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  if (!named) return std::nullopt;
  SSL_set_connect_state(ssl);
  return connection;
}

void TlsConnection::set_fd(int fd) {
  if (records_) return records_->set_fd(fd);
  set_fd_of(SSL_get_rbio(ssl_.get()), fd);
}

TlsConnection::Status TlsConnection::handshake() {
  if (records_) return Status::done;
  ERR_clear_error();
  const Status status = outcome(SSL_do_handshake(ssl_.get()), 0).status;
  if (status == Status::done && watch_ && !take_over()) return Status::ended;
  return status;
}

bool TlsConnection::take_over() {
  // What is pending, though nothing is read ahead, stands in one record with the end of the handshake, where
  // nothing may.
  if (SSL_has_pending(ssl_.get()) != 0) return false;
  auto keys = watch_->keys(ssl_.get());
  ERR_clear_error();
  if (!keys) return false;
  records_ = std::make_unique<RecordStream>(fd_of(SSL_get_rbio(ssl_.get())), std::move(*keys));
  ssl_.reset();
  watch_.reset();
  return true;
}

std::string TlsConnection::certificate_fault() const {
  assert(ssl_);  // a client's
  const long verdict = SSL_get_verify_result(ssl_.get());
  return verdict == X509_V_OK ? "" : X509_verify_cert_error_string(verdict);
}

TlsConnection::Transfer TlsConnection::read(MutableBytes space) {
  if (records_) return records_->read(space, RecordStream::From::socket);
  ERR_clear_error();
  const int count = SSL_read(ssl_.get(), space.data(), bounded(space.size()));
  return outcome(count, static_cast<std::size_t>(std::max(count, 0)));
}

TlsConnection::Transfer TlsConnection::read_buffered(MutableBytes space) {
  assert(records_);
  return records_->read(space, RecordStream::From::buffered_alone);
}

TlsConnection::Transfer TlsConnection::peek(MutableBytes space) {
  if (records_) return records_->peek(space);
  ERR_clear_error();
  const int count = SSL_peek(ssl_.get(), space.data(), bounded(space.size()));
  return outcome(count, static_cast<std::size_t>(std::max(count, 0)));
}

TlsConnection::Transfer TlsConnection::write(Bytes bytes) {
  if (records_) return records_->write(bytes);
  ERR_clear_error();
  // A retry may offer more than before, never less: OpenSSL has encrypted a record already.
  const int count = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  return outcome(count, static_cast<std::size_t>(std::max(count, 0)));
}

bool TlsConnection::is_buffering() const {
  assert(records_);
  return records_->is_buffering();
}

void TlsConnection::send_close() {
  if (records_) return records_->send_close();
  ERR_clear_error();
  // Not within a handshake, and not after a fault: OpenSSL would call it an error.
  if (SSL_is_init_finished(ssl_.get()) != 0) (void)SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

TlsConnection::Transfer TlsConnection::outcome(int result, std::size_t bytes) {
  if (result > 0) return {Status::done, bytes};
  const int reason = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  if (reason == SSL_ERROR_WANT_READ) return {Status::wants_read, 0};
  if (reason == SSL_ERROR_WANT_WRITE) return {Status::wants_write, 0};
  return {Status::ended, 0};
}

}  // namespace offhook::io
