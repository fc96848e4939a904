#include "io/http/http_client.h"

#include <gtest/gtest.h>

#include "base/public_ip.h"
#include "io/http/loopback_client.h"
#include "io/http/running_server.h"
#include "io/tls/client_context.h"
#include "tls_client.h"

namespace offhook::io {
namespace {

using namespace offhook::testing;

// What a request came to, once.
class Answer {
 public:
  HttpClient::OnDone collect() {
    return [this](Result<IncomingAnswer, RequestError> result) { settled_.set(std::move(result)); };
  }
  Result<IncomingAnswer, RequestError> get() { return settled_.get(); }
  unsigned status() {
    const auto result = get();
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? result->status : 0;
  }
  RequestFault fault() {
    const auto result = get();
    EXPECT_FALSE(result);
    return result ? RequestFault::timeout : result.error().fault;
  }

 private:
  Settled<Result<IncomingAnswer, RequestError>> settled_;
};

// Answers each connection with the same bytes, or with nothing.
class RawServer {
 public:
  explicit RawServer(std::uint32_t ip = INADDR_LOOPBACK)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(ip);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(listen(fd_.get(), 8), 0);
    socklen_t length = sizeof any;
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&any), &length), 0);
    port_ = ntohs(any.sin_port);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  std::uint16_t port() const { return port_; }
  Fd accept() {
    Fd client(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_GE(client.get(), 0);
    return client;
  }
  void answer(std::string_view bytes) {
    const Fd client = accept();
    char request[4096];
    EXPECT_GT(recv(client.get(), request, sizeof request, 0), 0);
    EXPECT_EQ(send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

 private:
  Fd fd_;
  std::uint16_t port_ = 0;
};

class Client : public ::testing::Test {
 protected:
  void SetUp() override {
    running_.server().route("POST", "/hook", [this](const HttpRequest& request) {
      seen_ = request;
      return HttpResponse{.status = 202, .body = "thanks"};
    });
    running_.server().route("POST", "/moved", [](const HttpRequest&) {
      return HttpResponse{.status = 307, .headers = {{"Location", "/hook"}}};
    });
    running_.server().route("POST", "/later", [](const HttpRequest&) {
      return HttpResponse{.status = 429, .headers = {{"Retry-After", "17"}}};
    });
    running_.start();
  }
  void TearDown() override {
    if (client_) running_.on_loop([this] { client_.reset(); });
    running_.stop();
  }
  std::string at(std::string_view path) { return "http://" + running_.address().text() + std::string(path); }
  void send(const std::string& url, Answer& answer, HttpClientSettings settings = {},
            const std::string& authorities = "") {
    const auto context = client_context(authorities);
    ASSERT_TRUE(context) << context.error();
    OutgoingRequest request{*HttpUrl::parse(url), "POST", {{"Webhook-Id", "7"}}, "body"};
    running_.on_loop([&] {
      client_ = std::make_unique<HttpClient>(running_.loop(), std::move(settings), *context);
      client_->send(std::move(request), answer.collect());
    });
  }

  RunningServer running_;
  std::unique_ptr<HttpClient> client_;
  HttpRequest seen_;
};

TEST_F(Client, PostsAndTellsTheStatus) {
  Answer answer;
  send(at("/hook?x=1"), answer);
  EXPECT_EQ(answer.status(), 202U);
  EXPECT_EQ(seen_.method, "POST");
  EXPECT_EQ(seen_.body, "body");
  EXPECT_EQ(seen_.header("webhook-id"), "7");
  EXPECT_EQ(seen_.header("Host"), running_.address().text());
  EXPECT_EQ(seen_.query_value("x"), "1");
}

TEST_F(Client, FindsANameThatTheResolverKnows) {
  Answer answer;
  send("http://localhost:" + std::to_string(running_.address().port) + "/hook", answer);
  EXPECT_EQ(answer.status(), 202U);
}

// The second time by what is known; a known address that is dead is looked up anew by the next request.
TEST_F(Client, ReachesAHostAgainAndForgetsOneThatIsGone) {
  const std::string url = "http://localhost:" + std::to_string(running_.address().port) + "/hook";
  Answer first;
  send(url, first);
  EXPECT_EQ(first.status(), 202U);
  std::string gone;
  {
    const RawServer server;
    gone = "http://localhost:" + std::to_string(server.port()) + "/";
  }
  const auto again = [this](const std::string& to) {
    Answer answer;
    running_.on_loop([&] { client_->send({*HttpUrl::parse(to), "POST", {}, ""}, answer.collect()); });
    return answer.get();
  };
  EXPECT_EQ(again(url)->status, 202U);
  EXPECT_EQ(again(gone).error().fault, RequestFault::unreachable);
  EXPECT_EQ(again(url)->status, 202U);
}

TEST_F(Client, FollowsNoRedirect) {
  Answer answer;
  send(at("/moved"), answer);
  EXPECT_EQ(answer.status(), 307U);
  EXPECT_EQ(seen_.method, "");
}

TEST_F(Client, TellsWhenToComeAgain) {
  Answer answer;
  send(at("/later"), answer);
  EXPECT_EQ(answer.get()->retry_after, "17");
}

TEST_F(Client, ConnectsOnlyToAddressesThatMayBe) {
  HttpClientSettings settings;
  settings.may_connect = is_public;
  RawServer server;
  // As a name, too: what it resolves to is what counts.
  for (const std::string host : {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"}) {
    Answer answer;
    send("http://" + host + ":" + std::to_string(server.port()) + "/", answer, settings);
    EXPECT_EQ(answer.fault(), RequestFault::not_permitted) << host;
  }
}

TEST_F(Client, SaysThatNobodyListens) {
  std::string url;
  {
    const RawServer gone;
    url = gone.url();
  }
  Answer answer;
  send(url, answer);
  EXPECT_EQ(answer.fault(), RequestFault::unreachable);
}

TEST_F(Client, SaysThatANameIsNotKnown) {
  Answer answer;
  send("http://nobody.invalid/", answer);
  EXPECT_EQ(answer.fault(), RequestFault::no_address);
}

TEST_F(Client, GivesUpOnOneThatNeverAnswers) {
  RawServer server;
  HttpClientSettings settings;
  settings.timeout = std::chrono::milliseconds(50);
  Answer answer;
  send(server.url(), answer, settings);
  const Fd client = server.accept();
  EXPECT_EQ(answer.fault(), RequestFault::timeout);
}

TEST_F(Client, TakesNothingButHttp) {
  for (const std::string& bytes : {std::string("SSH-2.0-x\r\n\r\n"), std::string("HTTP/1.1 200 OK\r\n"),
                                   "HTTP/1.1 200 OK\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"}) {
    RawServer server;
    Answer answer;
    send(server.url(), answer);
    server.answer(bytes);
    EXPECT_EQ(answer.fault(), RequestFault::bad_answer) << bytes.substr(0, 20);
  }
}

TEST_F(Client, DoesNotWaitForABody) {
  RawServer server;
  Answer answer;
  send(server.url(), answer);
  const Fd client = server.accept();
  constexpr std::string_view kHead = "HTTP/1.1 201 Created\r\nContent-Length: 1000000\r\n\r\n";
  EXPECT_EQ(::send(client.get(), kHead.data(), kHead.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(kHead.size()));
  EXPECT_EQ(answer.status(), 201U);
}

TEST_F(Client, SaysNothingMoreOnceItIsGone) {
  RawServer server;
  Answer answer;
  send(server.url(), answer);
  Fd client = server.accept();
  running_.on_loop([this] { client_.reset(); });
  char byte = 0;
  while (recv(client.get(), &byte, 1, 0) > 0) {
  }
  // A callback would have settled it a second time.
  running_.on_loop([&answer] {
    answer.collect()(fail(RequestError{RequestFault::timeout, "nothing came"}));
  });
  EXPECT_EQ(answer.fault(), RequestFault::timeout);
}

// A server with a certificate of its own, which accepts one connection and answers 200.
class TlsAnswerer {
 public:
  explicit TlsAnswerer(const CertificateFiles& files, std::uint32_t ip = INADDR_LOOPBACK)
      : server_(ip), certificate_(*load_certificate(files)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~TlsAnswerer() { thread_.join(); }
  std::string url(std::string_view host) const {
    return "https://" + std::string(host) + ":" + std::to_string(server_.port()) + "/";
  }

 private:
  void serve() {
    const Fd client = server_.accept();
    auto tls = TlsConnection::begin(certificate_.context, client.get());
    for (;;) {
      const auto status = tls->handshake();
      if (status == TlsConnection::Status::done) break;
      if (status == TlsConnection::Status::ended || !test::wait_for(client.get(), POLLIN)) return;
    }
    std::array<std::uint8_t, 4096> space{};
    while (tls->read(space).status == TlsConnection::Status::wants_read &&
           test::wait_for(client.get(), POLLIN)) {
    }
    (void)tls->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  }

  RawServer server_;
  Certificate certificate_;
  std::thread thread_;
};

TEST_F(Client, TrustsWhomItsAuthoritiesVouchFor) {
  const test::ScratchDirectory scratch;
  const CertificateFiles files = test::fresh_certificate(scratch, "own");
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    const TlsAnswerer server(files);
    Answer answer;
    send(server.url(host), answer, {}, files.certificate);
    EXPECT_EQ(answer.status(), 200U) << host;
  }
}

TEST_F(Client, TrustsNobodyElse) {
  const test::ScratchDirectory scratch;
  const CertificateFiles files = test::fresh_certificate(scratch, "own");
  const CertificateFiles other = test::fresh_certificate(scratch, "other");
  {
    const TlsAnswerer server(files);  // unknown to the system
    Answer answer;
    send(server.url("localhost"), answer);
    EXPECT_EQ(answer.fault(), RequestFault::bad_certificate);
  }
  {
    const TlsAnswerer server(files);
    Answer answer;
    send(server.url("localhost"), answer, {}, other.certificate);
    EXPECT_EQ(answer.fault(), RequestFault::bad_certificate);
  }
  {
    const TlsAnswerer server(files, 0x7F000002);  // a good certificate, for somebody else
    Answer answer;
    send(server.url("127.0.0.2"), answer, {}, files.certificate);
    EXPECT_EQ(answer.fault(), RequestFault::bad_certificate);
  }
}

TEST(ClientContext, SaysWhatIsWrongWithTheAuthorities) {
  const auto context = client_context("/nowhere/authorities.pem");
  ASSERT_FALSE(context);
  EXPECT_NE(context.error().find("/nowhere/authorities.pem"), std::string::npos);
}

}  // namespace
}  // namespace offhook::io
