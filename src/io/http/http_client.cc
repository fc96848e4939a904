#include "io/http/http_client.h"

// Before any header of Boost: it says how Asio and Beast are compiled.
#include "io/http/asio.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <set>

#include "io/http/http_stream.h"
#include "io/http/known_hosts.h"

namespace offhook::io {

namespace {
class Exchange;
}

struct HttpClient::State : std::enable_shared_from_this<HttpClient::State> {
  State(ControlLoop& control_loop, HttpClientSettings client_settings, TlsContext context)
      : loop(control_loop), settings(std::move(client_settings)), tls(std::move(context)) {}

  ControlLoop& loop;
  const HttpClientSettings settings;
  const TlsContext tls;
  KnownHosts known_hosts;
  std::set<std::shared_ptr<Exchange>> exchanges;
};

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// Push services answer with less than one.
constexpr std::size_t kAnswerHeadLimit = std::size_t{8} * 1024;

std::vector<Ip> addresses_of(const tcp::resolver::results_type& results) {
  std::vector<Ip> addresses;
  for (const auto& entry : results) addresses.push_back(from_endpoint(entry.endpoint()).ip);
  return addresses;
}

// For the next request; without an answer what is known stays.
void look_up_beside(HttpClient::State& client, const std::string& host) {
  const auto resolver = std::make_shared<tcp::resolver>(client.loop.asio().context);
  resolver->async_resolve(host, "",
                          [resolver, weak = client.weak_from_this(), host](
                              error_code error, const tcp::resolver::results_type& results) {
                            const auto state = weak.lock();
                            if (error || !state || results.empty()) return;
                            state->known_hosts.learn(host, addresses_of(results),
                                                     ControlLoop::now().monotonic);
                          });
}

// One request and its answer: resolve, connect, handshake, write, read the head.
class Exchange final : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(HttpClient::State& client, OutgoingRequest request, HttpClient::OnDone on_done)
      : client_(client),
        request_(std::move(request)),
        on_done_(std::move(on_done)),
        resolver_(client.loop.asio().context),
        socket_(client.loop.asio().context),
        deadline_(client.loop.asio().context),
        buffer_(kAnswerHeadLimit) {}

  void begin() {
    deadline_.expires_after(client_.settings.timeout);
    deadline_.async_wait([self = shared_from_this()](error_code canceled) {
      if (!canceled) self->fail_with(RequestFault::timeout, "it did not answer in time");
    });
    if (const auto ip = Ip::parse(request_.url.host)) return connect_soon({*ip});
    if (auto known = client_.known_hosts.find(request_.url.host, ControlLoop::now().monotonic)) {
      if (known->is_stale) look_up_beside(client_, request_.url.host);
      return connect_soon(std::move(known->addresses));
    }
    resolver_.async_resolve(
        request_.url.host, "",
        [self = shared_from_this()](error_code error, const tcp::resolver::results_type& results) {
          if (error)
            return self->fail_with(RequestFault::no_address, "its name is not known: " + error.message());
          self->looked_up_ = addresses_of(results);
          self->connect(self->looked_up_);
        });
  }

  // Ends it without a word.
  void abandon() {
    on_done_ = nullptr;
    close();
  }

 private:
  // Never from within begin(): it may fail, and on_done comes later than send() returns.
  void connect_soon(std::vector<Ip> addresses) {
    asio::post(socket_.get_executor(),
               [self = shared_from_this(), addresses = std::move(addresses)] { self->connect(addresses); });
  }

  void connect(const std::vector<Ip>& addresses) {
    if (!on_done_) return;
    const auto& may_connect = client_.settings.may_connect;
    for (const Ip& ip : addresses) {
      if (!may_connect || may_connect(ip)) endpoints_.push_back(to_endpoint({ip, request_.url.port}));
    }
    if (endpoints_.empty())
      return fail_with(RequestFault::not_permitted, "it has no address that may be connected to");
    asio::async_connect(
        socket_, endpoints_, [self = shared_from_this()](error_code error, const tcp::endpoint&) {
          if (!self->on_done_) return;
          if (error)
            return self->fail_with(RequestFault::unreachable, "it cannot be reached: " + error.message());
          self->connected();
        });
  }

  void connected() {
    error_code ignored;  // only a delay would come of it
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    if (!request_.url.tls) return write();
    tls_ = TlsConnection::begin_client(client_.tls, socket_.native_handle(), request_.url.host);
    if (!tls_) return fail_with(RequestFault::unreachable, "TLS cannot be begun with it");
    shake_hands();
  }

  void shake_hands() {
    if (!on_done_) return;
    switch (tls_->handshake()) {
      case TlsConnection::Status::done:
        return write();
      case TlsConnection::Status::wants_read:
        return wait(tcp::socket::wait_read);
      case TlsConnection::Status::wants_write:
        return wait(tcp::socket::wait_write);
      case TlsConnection::Status::ended:
        break;
    }
    const std::string fault = tls_->certificate_fault();
    if (!fault.empty())
      return fail_with(RequestFault::bad_certificate, "its certificate is no good: " + fault);
    fail_with(RequestFault::unreachable, "it ended the TLS handshake");
  }

  void wait(tcp::socket::wait_type what) {
    socket_.async_wait(what, [self = shared_from_this()](error_code error) {
      if (!self->on_done_) return;
      if (error)
        return self->fail_with(RequestFault::unreachable, "the connection was lost: " + error.message());
      self->shake_hands();
    });
  }

  void write() {
    stream_.emplace(std::move(socket_), std::move(tls_));
    message_.version(11);
    message_.method_string(request_.method);
    message_.target(request_.url.target);
    message_.set(http::field::host, request_.url.authority());
    message_.keep_alive(false);
    for (const auto& [name, value] : request_.headers) message_.insert(name, value);
    message_.body() = std::move(request_.body);
    message_.prepare_payload();
    http::async_write(*stream_, message_, [self = shared_from_this()](error_code error, std::size_t) {
      if (!self->on_done_) return;
      if (error)
        return self->fail_with(RequestFault::unreachable, "the connection was lost: " + error.message());
      self->read();
    });
  }

  void read() {
    parser_.header_limit(static_cast<std::uint32_t>(kAnswerHeadLimit));
    http::async_read_header(
        *stream_, buffer_, parser_, [self = shared_from_this()](error_code error, std::size_t) {
          if (!self->on_done_) return;
          if (error)
            return self->fail_with(RequestFault::bad_answer,
                                   "it gave no answer of HTTP/1.1: " + error.message());
          const auto& head = self->parser_.get();
          const auto retry_after = head[http::field::retry_after];
          self->finish(
              IncomingAnswer{head.result_int(), std::string(retry_after.data(), retry_after.size())});
        });
  }

  void fail_with(RequestFault fault, std::string message) {
    finish(fail(RequestError{fault, std::move(message)}));
  }

  void finish(Result<IncomingAnswer, RequestError> result) {
    if (!on_done_) return;
    if (!result) {
      client_.known_hosts.forget(request_.url.host);
    } else if (!looked_up_.empty()) {
      client_.known_hosts.learn(request_.url.host, std::move(looked_up_), ControlLoop::now().monotonic);
    }
    const HttpClient::OnDone on_done = std::exchange(on_done_, nullptr);
    close();
    client_.exchanges.erase(shared_from_this());
    on_done(std::move(result));
  }

  void close() {
    resolver_.cancel();
    deadline_.cancel();
    error_code ignored;  // the socket is gone either way
    socket_.close(ignored);
    if (stream_) stream_->close();
  }

  HttpClient::State& client_;
  OutgoingRequest request_;
  HttpClient::OnDone on_done_;  // empty: it is over, and what still completes means nothing
  tcp::resolver resolver_;
  tcp::socket socket_;
  asio::steady_timer deadline_;
  std::vector<Ip> looked_up_;  // empty if the host was known, or is an address
  std::vector<tcp::endpoint> endpoints_;
  std::optional<TlsConnection> tls_;
  std::optional<HttpStream> stream_;
  http::request<http::string_body> message_;
  beast::flat_buffer buffer_;
  http::response_parser<http::empty_body> parser_;
};

}  // namespace

HttpClient::HttpClient(ControlLoop& loop, HttpClientSettings settings, TlsContext tls)
    : state_(std::make_shared<State>(loop, std::move(settings), std::move(tls))) {}

HttpClient::~HttpClient() {
  for (const auto& exchange : std::exchange(state_->exchanges, {})) exchange->abandon();
}

void HttpClient::send(OutgoingRequest request, OnDone on_done) {
  const auto exchange = std::make_shared<Exchange>(*state_, std::move(request), std::move(on_done));
  state_->exchanges.insert(exchange);
  exchange->begin();
}

}  // namespace offhook::io
