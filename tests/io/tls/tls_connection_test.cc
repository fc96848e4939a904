#include "io/tls/tls_connection.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "io/tls/server_certificates.h"
#include "tls_client.h"

namespace offhook::io {
namespace {

using Status = TlsConnection::Status;
using test::TlsClient;

class TlsConnections : public testing::Test {
 protected:
  void begin(int least = TLS1_2_VERSION, int most = TLS1_3_VERSION) {
    test::SocketPair ends = test::socket_pair();
    server_socket_ = std::move(ends.server);
    client_.emplace(std::move(ends.client), least, most);
    server_ = TlsConnection::begin(certificate_.context, server_socket_.get());
    ASSERT_TRUE(server_.has_value());
  }
  // Both ends in turns, in this thread. The server's last word.
  Status shake_hands() {
    Status status = Status::wants_read;
    for (int i = 0; i < 20; ++i) {
      const bool client_done = client_->step();
      status = server_->handshake();
      if (status == Status::ended || (client_done && status == Status::done)) return status;
    }
    return status;
  }
  std::string read_text() {
    std::array<std::uint8_t, 16384> space{};
    const auto got = server_->read(space);
    return got.status == Status::done ? to_string(Bytes(space).first(got.bytes)) : "";
  }

  test::ScratchDirectory scratch_;
  Certificate certificate_ = *load_certificate(test::fresh_certificate(scratch_, "a"));
  Fd server_socket_;
  std::optional<TlsClient> client_;
  std::optional<TlsConnection> server_;
};

TEST_F(TlsConnections, CarryBytesBothWaysUnderTls12And13) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    begin(version, version);
    ASSERT_EQ(shake_hands(), Status::done);
    EXPECT_EQ(SSL_version(client_->ssl()), version);
    EXPECT_EQ(server_->write(as_bytes("from the server")).bytes, 15U);
    EXPECT_EQ(client_->receive(), "from the server");
    std::array<std::uint8_t, 4> few{};
    EXPECT_EQ(server_->read(few).status, Status::wants_read);
    ASSERT_TRUE(client_->send("from the client"));
    EXPECT_EQ(server_->peek(few).bytes, 4U);
    EXPECT_EQ(server_->read(few).bytes, 4U);
    EXPECT_EQ(to_string(few), "from");
    EXPECT_TRUE(server_->is_buffering());
    EXPECT_EQ(read_text(), " the client");
    EXPECT_FALSE(server_->is_buffering());
  }
}

// All records that have come leave the socket at once; those that do not fit wait here.
TEST_F(TlsConnections, WhatHasLeftTheSocketIsReadWithoutIt) {
  begin(TLS1_3_VERSION, TLS1_3_VERSION);
  ASSERT_EQ(shake_hands(), Status::done);
  std::array<std::uint8_t, 3> space{};
  EXPECT_EQ(server_->read(space).status, Status::wants_read);
  ASSERT_TRUE(client_->send("one"));
  ASSERT_TRUE(client_->send("two"));
  EXPECT_EQ(server_->read(space).bytes, 3U);
  EXPECT_TRUE(server_->is_buffering());
  ASSERT_TRUE(client_->send("three"));
  EXPECT_EQ(server_->read_buffered(space).bytes, 3U);
  EXPECT_EQ(to_string(space), "two");
  EXPECT_FALSE(server_->is_buffering());
  EXPECT_EQ(server_->read_buffered(space).status, Status::wants_read);
  EXPECT_EQ(read_text(), "three");
}

// Each cipher there is, in a session that is new and in one that is resumed: those differ in how many records
// the server has sent before the first of ours.
TEST_F(TlsConnections, GoOnWhereTheHandshakeEnded) {
  struct Case {
    int version;
    const char* cipher;
  };
  const Case cases[] = {
      {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"}, {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
      {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"}, {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
      {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},        {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.cipher);
    std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(nullptr, &SSL_SESSION_free);
    for (const bool resumed : {false, true}) {
      begin(each.version, each.version);
      ASSERT_EQ(each.version == TLS1_2_VERSION ? SSL_set_cipher_list(client_->ssl(), each.cipher)
                                               : SSL_set_ciphersuites(client_->ssl(), each.cipher),
                1);
      ASSERT_EQ(SSL_set_session(client_->ssl(), session.get()), 1);
      ASSERT_EQ(shake_hands(), Status::done);
      EXPECT_STREQ(SSL_get_cipher_name(client_->ssl()), each.cipher);
      EXPECT_EQ(SSL_session_reused(client_->ssl()), resumed ? 1 : 0);
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(server_->write(as_bytes("from the server")).bytes, 15U);
        EXPECT_EQ(client_->receive(), "from the server");
        ASSERT_TRUE(client_->send("from the client"));
        EXPECT_EQ(read_text(), "from the client");
      }
      session.reset(SSL_get1_session(client_->ssl()));
      SSL_shutdown(client_->ssl());
    }
  }
}

TEST_F(TlsConnections, FollowClientsThatChangeKeysAndPadRecords) {
  begin(TLS1_3_VERSION, TLS1_3_VERSION);
  ASSERT_EQ(shake_hands(), Status::done);
  ASSERT_EQ(SSL_set_block_padding(client_->ssl(), 256), 1);
  for (const int request : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(SSL_key_update(client_->ssl(), request), 1);
      ASSERT_TRUE(client_->send("padded"));
      EXPECT_EQ(read_text(), "padded");
      EXPECT_EQ(server_->write(as_bytes("answer")).bytes, 6U);
      EXPECT_EQ(client_->receive(), "answer");
    }
  }
}

// RFC 6066 section 4, for clients that have little memory.
TEST_F(TlsConnections, SendNoLongerRecordsThanTheClientCanTake) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    begin(version, version);
    ASSERT_EQ(SSL_set_tlsext_max_fragment_length(client_->ssl(), TLSEXT_max_fragment_length_512), 1);
    ASSERT_EQ(shake_hands(), Status::done);
    const std::string text(1300, 'x');
    std::size_t sent = 0;
    while (sent < text.size()) {
      const auto wrote = server_->write(as_bytes(text.substr(sent)));
      ASSERT_EQ(wrote.status, Status::done);
      EXPECT_LE(wrote.bytes, 512U);
      sent += wrote.bytes;
    }
    EXPECT_EQ(client_->receive_exactly(text.size()), text);
  }
}

// The client ends it: it is told that nobody does.
TEST_F(TlsConnections, DoNotNegotiateAnew) {
  begin(TLS1_2_VERSION, TLS1_2_VERSION);
  ASSERT_EQ(shake_hands(), Status::done);
  ASSERT_EQ(SSL_renegotiate(client_->ssl()), 1);
  (void)SSL_do_handshake(client_->ssl());
  std::array<std::uint8_t, 100> space{};
  EXPECT_EQ(server_->read(space).status, Status::wants_read);
  ERR_clear_error();
  EXPECT_EQ(SSL_do_handshake(client_->ssl()), -1);
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
  ERR_clear_error();
}

// With the last words of the handshake, which OpenSSL has to leave in the socket.
TEST_F(TlsConnections, HearWhatComesAtOnceWithTheEndOfTheHandshake) {
  begin(TLS1_3_VERSION, TLS1_3_VERSION);
  Status status = Status::wants_read;
  while (!client_->step()) status = server_->handshake();
  ASSERT_EQ(status, Status::wants_read);
  ASSERT_TRUE(client_->send("at once"));
  ASSERT_EQ(server_->handshake(), Status::done);
  EXPECT_EQ(read_text(), "at once");
}

// Whatever the client's order; but one that puts ChaCha20 first has no instructions for AES.
TEST_F(TlsConnections, TakeTheCipherThatCostsLeast) {
  const auto agreed = [this](int version, const char* of_tls12, const char* of_tls13) -> std::string {
    begin(version, version);
    EXPECT_EQ(SSL_set_cipher_list(client_->ssl(), of_tls12), 1);
    EXPECT_EQ(SSL_set_ciphersuites(client_->ssl(), of_tls13), 1);
    EXPECT_EQ(shake_hands(), Status::done);
    return SSL_get_cipher_name(client_->ssl());
  };
  const char* const tls12 =
      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256";
  const char* const tls13 = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
  EXPECT_EQ(agreed(TLS1_2_VERSION, tls12, tls13), "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(agreed(TLS1_3_VERSION, tls12, tls13), "TLS_AES_128_GCM_SHA256");
  const char* const only_256 = "TLS_AES_256_GCM_SHA384";
  EXPECT_EQ(agreed(TLS1_3_VERSION, tls12, only_256), only_256);
  EXPECT_EQ(agreed(TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256", tls13),
            "ECDHE-ECDSA-CHACHA20-POLY1305");
  EXPECT_EQ(agreed(TLS1_3_VERSION, tls12, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
            "TLS_CHACHA20_POLY1305_SHA256");
}

TEST_F(TlsConnections, RefuseWhatIsOlder) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    begin(version, version);
    EXPECT_EQ(shake_hands(), Status::ended);
    EXPECT_FALSE(client_->handshake());
  }
}

TEST_F(TlsConnections, EndOnGarbageAndOnAClientThatLeaves) {
  begin();
  ASSERT_EQ(::send(client_->fd(), "\x16not a ClientHello, however it begins", 37, 0), 37);
  EXPECT_EQ(server_->handshake(), Status::ended);
  begin();
  EXPECT_EQ(server_->handshake(), Status::wants_read);
  client_->cut();
  EXPECT_EQ(server_->handshake(), Status::ended);
}

TEST_F(TlsConnections, HearAndSayThatNothingMoreComes) {
  begin();
  ASSERT_EQ(shake_hands(), Status::done);
  ASSERT_TRUE(client_->send("last words"));
  SSL_shutdown(client_->ssl());
  EXPECT_EQ(read_text(), "last words");
  std::array<std::uint8_t, 4> few{};
  EXPECT_EQ(server_->read(few).status, Status::ended);
  server_->send_close();
  EXPECT_EQ(client_->receive(), "");
  EXPECT_NE(SSL_get_shutdown(client_->ssl()) & SSL_RECEIVED_SHUTDOWN, 0);
}

TEST_F(TlsConnections, WriteOnFromAQueueThatMovesAndGrows) {
  begin();
  ASSERT_EQ(shake_hands(), Status::done);
  std::string queue;
  std::string sent;
  std::size_t refused = 0;
  // Until the kernel takes no more.
  while (refused == 0) {
    for (int i = 0; i < 5000; ++i) queue += static_cast<char>('a' + (sent.size() + queue.size()) % 26);
    std::string moved = queue;
    const auto wrote = server_->write(as_bytes(moved));
    if (wrote.status == Status::wants_write) refused += 1;
    sent += queue.substr(0, wrote.bytes);
    queue.erase(0, wrote.bytes);
  }
  std::string arrived;
  while (!queue.empty()) {
    queue += "more of it";
    sent += queue;
    while (!queue.empty()) {
      const std::string moved = queue;
      const auto wrote = server_->write(as_bytes(moved));
      ASSERT_NE(wrote.status, Status::ended);
      queue.erase(0, wrote.bytes);
      if (wrote.status == Status::wants_write) arrived += client_->receive();
    }
  }
  arrived += client_->receive_exactly(sent.size() - arrived.size());
  EXPECT_EQ(arrived, sent);
}

// As a connection does whose descriptor went to another thread.
TEST_F(TlsConnections, GoOnUnderAnotherNumberOfTheSocket) {
  begin();
  ASSERT_EQ(shake_hands(), Status::done);
  ASSERT_TRUE(client_->send("before"));
  std::array<std::uint8_t, 3> few{};
  EXPECT_EQ(server_->read(few).bytes, 3U);
  Fd copy(dup(server_socket_.get()));
  server_socket_.close();
  server_->set_fd(copy.get());
  TlsConnection moved = std::move(*server_);
  EXPECT_EQ(moved.read(few).bytes, 3U);
  EXPECT_EQ(to_string(few), "ore");
  EXPECT_EQ(moved.write(as_bytes("after")).bytes, 5U);
  EXPECT_EQ(client_->receive(), "after");
}

TEST_F(TlsConnections, AgreeOnTheProtocolsOfBrowsersAndTurnClients) {
  const std::string offers[] = {"\x02h2\x08http/1.1", "\x09stun.turn", "\x03xyz"};
  const std::string chosen[] = {"http/1.1", "stun.turn", ""};
  for (std::size_t i = 0; i < std::size(offers); ++i) {
    begin();
    SSL_set_alpn_protos(client_->ssl(), reinterpret_cast<const unsigned char*>(offers[i].data()),
                        static_cast<unsigned>(offers[i].size()));
    ASSERT_EQ(shake_hands(), Status::done);
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client_->ssl(), &protocol, &size);
    EXPECT_EQ(std::string(protocol, protocol + size), chosen[i]);
  }
}

}  // namespace
}  // namespace offhook::io
