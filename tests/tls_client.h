#pragma once
// Certificates and TLS clients for tests, by OpenSSL directly.

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "io/loop/clock.h"
#include "io/loop/fd.h"
#include "io/tls/own_certificate.h"

namespace offhook::test {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "offhook-tls-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  std::string file(std::string_view name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }
  std::string write(std::string_view name, std::string_view text) const {
    std::ofstream(file(name)) << text;
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

// A fresh certificate with its key, in a directory of its own below `scratch`.
inline io::CertificateFiles fresh_certificate(const ScratchDirectory& scratch, std::string_view name,
                                              std::vector<Ip> addresses = {}) {
  const auto files = io::own_certificate(scratch.file(name), addresses, io::read_now().wall);
  EXPECT_TRUE(files) << (files ? "" : files.error());
  return files ? *files : io::CertificateFiles{};
}

inline bool wait_for(int fd, short events, int patience_ms = 5000) {
  pollfd wanted{fd, events, 0};
  return poll(&wanted, 1, patience_ms) == 1;
}

// The client's end, blocking with a limit.
class TlsClient {
 public:
  explicit TlsClient(io::Fd socket, int least = TLS1_2_VERSION, int most = TLS1_3_VERSION)
      : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
    SSL_CTX_set_security_level(context_.get(), 0);  // old versions are there only at this level
    EXPECT_EQ(SSL_CTX_set_min_proto_version(context_.get(), least), 1);
    EXPECT_EQ(SSL_CTX_set_max_proto_version(context_.get(), most), 1);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_.get());
    SSL_set_connect_state(ssl_.get());
  }
  SSL* ssl() { return ssl_.get(); }
  int fd() const { return socket_.get(); }
  void cut() { socket_.close(); }

  // One step of a non-blocking handshake; true once it is done.
  bool step() { return SSL_do_handshake(ssl_.get()) == 1; }
  bool handshake() {
    return until([&] { return SSL_do_handshake(ssl_.get()); });
  }
  bool send(std::string_view bytes) {
    return until([&] { return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); });
  }
  // What one record holds; empty at the end of the stream or after the time limit.
  std::string receive() {
    std::array<char, 16384> space{};
    int count = 0;
    if (!until([&] { return count = SSL_read(ssl_.get(), space.data(), static_cast<int>(space.size())); }))
      return {};
    return std::string(space.data(), static_cast<std::size_t>(count));
  }
  std::string receive_exactly(std::size_t size) {
    std::string all;
    while (all.size() < size) {
      const std::string part = receive();
      if (part.empty()) break;
      all += part;
    }
    return all;
  }
  // The serial of the certificate that the server showed.
  std::string server_serial() const {
    X509* shown = SSL_get1_peer_certificate(ssl_.get());
    if (shown == nullptr) return {};
    const ASN1_INTEGER* serial = X509_get0_serialNumber(shown);
    std::string text(serial->data, serial->data + serial->length);
    X509_free(shown);
    return text;
  }

 private:
  template <typename Call>
  bool until(Call call) {
    for (;;) {
      const int result = call();
      if (result > 0) return true;
      const int reason = SSL_get_error(ssl_.get(), result);
      if (reason == SSL_ERROR_WANT_READ && wait_for(socket_.get(), POLLIN)) continue;
      if (reason == SSL_ERROR_WANT_WRITE && wait_for(socket_.get(), POLLOUT)) continue;
      return false;
    }
  }

  io::Fd socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL, Free> ssl_;
};

struct SocketPair {
  io::Fd client;
  io::Fd server;
};
inline SocketPair socket_pair() {
  std::array<int, 2> ends{-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  return {io::Fd(ends[0]), io::Fd(ends[1])};
}

}  // namespace offhook::test
