// One HTTP/1.1 connection (RFC 9112): read a request, answer it, read the next one.

// Before any header of Boost: it says how Asio and Beast are compiled.
#include "io/http/asio.h"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <ctime>
#include <optional>

#include "io/http/connection.h"
#include "io/http/origin.h"
#include "io/http/websocket_session.h"

namespace offhook::io {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// Browsers send about fifteen, proxies add a few.
constexpr std::ptrdiff_t kHeadersLimit = 64;
// The largest answer is the page's script; this is time for it at 64 kbit/s and more.
constexpr std::chrono::seconds kResponseTimeout{60};
// After a refusal the rest of what the client sends is read and dropped for a while: closing a socket with
// unread bytes makes the kernel send a reset, which can overtake the answer.
constexpr std::chrono::seconds kLingerTimeout{2};
constexpr std::size_t kLingerBytesLimit = 256 * 1024;
// How long a browser may remember the answer to a preflight: an operator's change is seen after that.
constexpr std::string_view kPreflightSeconds = "600";

bool header_name_is(std::string_view a, std::string_view b) {
  return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

std::string text(beast::string_view view) { return std::string(view.data(), view.size()); }

// IMF-fixdate of RFC 9110 section 5.6.7.
std::string http_date(UnixTime time) {
  const auto seconds = static_cast<std::time_t>(time.seconds);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  char buffer[32] = {};
  return std::string(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
}

// Nothing if the target is not in origin form ("/path?query", RFC 9112 section 3.2.1).
std::optional<HttpRequest> to_request(const http::request<http::string_body>& message) {
  const auto target = boost::urls::parse_origin_form({message.target().data(), message.target().size()});
  if (!target) return std::nullopt;
  HttpRequest request;
  request.method = text(message.method_string());
  request.path = target->path();
  for (const auto& segment : target->segments()) request.segments.push_back(segment);
  for (const auto& parameter : target->params()) request.query.emplace_back(parameter.key, parameter.value);
  for (const auto& field : message)
    request.headers.emplace_back(text(field.name_string()), text(field.value()));
  request.body = message.body();
  return request;
}

HttpResponse too_many_requests(Duration wait) {
  HttpResponse response = error_response(429, "too_many_requests", "This address asks too often; wait.");
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  response.headers = {{"Retry-After", std::to_string(seconds)}};
  return response;
}

HttpResponse bad_request(std::string_view message) { return error_response(400, "bad_request", message); }

class HttpSession final : public Connection, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<HttpServer::State> server, HttpStream stream, ConnectionSlot slot,
              const Address& client)
      : Connection(std::move(server)),
        stream_(std::move(stream)),
        slot_(std::move(slot)),
        client_address_(client),
        buffer_(this->server().settings.header_bytes_limit + kReadAheadBytes) {
    error_code error;
    const tcp::endpoint local = stream_.socket().local_endpoint(error);
    if (!error) local_address_ = from_endpoint(local);
  }

  void read() {
    page_origin_.reset();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(server().settings.header_bytes_limit));
    parser_->body_limit(server().settings.body_bytes_limit);
    // One deadline for the header and the body: a client that sends a byte a second gains nothing.
    stream_.expires_after(server().settings.request_timeout);
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->handle_header(error); });
  }

  void abort() override { stream_.close(); }

 private:
  static constexpr std::size_t kReadAheadBytes = 4096;

  void handle_header(error_code error) {
    note_origin();
    if (error) return refuse(error);
    const auto& header = parser_->get();
    if (std::distance(header.begin(), header.end()) > kHeadersLimit) {
      return respond_and_close(error_response(431, "headers_too_large", "The request has too many headers."));
    }
    if (parser_->is_done()) return handle_request();
    if (header_name_is(text(header[http::field::expect]), "100-continue")) return send_continue();
    read_body();
  }

  // Before anything is answered: the page may read refusals as well.
  void note_origin() {
    const auto& header = parser_->get();
    if (header.count(http::field::origin) != 1 || header.count(http::field::host) > 1) return;
    const std::string origin = text(header[http::field::origin]);
    if (origin.empty()) return;
    const std::string host = text(header[http::field::host]);
    if (origin_allowed(origin, host, stream_.is_tls(), server().settings.allowed_origins))
      page_origin_ = origin;
  }

  void send_continue() {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (!error) self->read_body();
                      });
  }

  void read_body() {
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->refuse(error);
      self->handle_request();
    });
  }

  void refuse(error_code error) {
    if (error == http::error::end_of_stream) return stream_.close();
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return respond_and_close(
          error_response(431, "headers_too_large", "The request's header is too large."));
    }
    if (error == http::error::body_limit) {
      return respond_and_close(error_response(413, "body_too_large", "The request's body is too large."));
    }
    const bool malformed = error.category() == http::make_error_code(http::error::bad_method).category();
    if (malformed && error != http::error::partial_message)
      return respond_and_close(bad_request("This is not HTTP/1.1."));
    stream_.close();  // timeout, reset, half a request
  }

  void handle_request() {
    request_ = parser_->release();
    const bool host_is_clear = request_.count(http::field::host) == 1 ||
                               (request_.version() < 11 && request_.count(http::field::host) == 0);
    if (!host_is_clear) return respond_and_close(bad_request("A request has one Host header."));
    auto request = to_request(request_);
    if (!request) return respond_and_close(bad_request("The request target is not a path."));
    request->client_address = client_address_;
    request->local_address = local_address_;
    if (const auto wait = server().wait_of(server().request_rate, client_address_.ip)) {
      return respond(too_many_requests(*wait), request_.keep_alive());
    }
    if (beast::websocket::is_upgrade(request_)) return upgrade(*request);
    auto preflight = answer_preflight(*request);
    respond(preflight ? std::move(*preflight) : server().router.answer(*request), request_.keep_alive());
  }

  void upgrade(const HttpRequest& request) {
    const WebSocketHandler* handler = server().router.websocket(request.path);
    if (handler == nullptr) {
      return respond_and_close(error_response(404, "not_found", "There is no WebSocket at this path."));
    }
    stream_.expires_never();
    const bool from_page = !request.header("Origin").empty() || request_.count(http::field::origin) > 1;
    if (from_page && !page_origin_) {
      return refuse_websocket(server_pointer(), std::move(stream_), std::move(slot_), request_, request,
                              Refused::foreign_origin);
    }
    if (server().wait_of(server().websocket_rate, client_address_.ip)) {
      return refuse_websocket(server_pointer(), std::move(stream_), std::move(slot_), request_, request,
                              Refused::too_many);
    }
    serve_websocket(server_pointer(), std::move(stream_), std::move(slot_), request_, request, *handler);
  }

  // Fetch standard, "CORS-preflight fetch": a browser asks before it sends Authorization to another origin.
  // Nothing for another request, a foreign origin, or a path without a route.
  std::optional<HttpResponse> answer_preflight(const HttpRequest& request) const {
    const bool asks = request_.method() == http::verb::options && page_origin_ &&
                      request_.count(http::field::access_control_request_method) > 0;
    if (!asks) return std::nullopt;
    const std::string methods = server().router.methods(request);
    if (methods.empty()) return std::nullopt;
    HttpResponse answer;
    answer.status = 204;
    answer.headers = {{"Access-Control-Allow-Methods", methods},
                      {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
                      {"Access-Control-Max-Age", std::string(kPreflightSeconds)}};
    return answer;
  }

  // A handler that opens its path to all origins has said so itself.
  void add_cors_headers() {
    if (response_.count(http::field::access_control_allow_origin) > 0) return;
    // Always: a cache must not give the answer without the next header to a page that needs it.
    response_.insert(http::field::vary, "Origin");
    if (page_origin_) response_.set(http::field::access_control_allow_origin, *page_origin_);
  }

  void respond_and_close(HttpResponse answer) { respond(std::move(answer), false); }

  // The one place that answers.
  void respond(HttpResponse answer, bool keep_alive) {
    const bool has_body = answer.status != 204 && answer.status != 304;
    response_ = {};
    response_.version(11);
    response_.result(answer.status);
    response_.keep_alive(keep_alive);
    response_.set(http::field::date, http_date(ControlLoop::now().wall));
    for (const auto& [name, value] : answer.headers) response_.insert(name, value);
    add_cors_headers();
    if (has_body) {
      response_.set(http::field::content_type, answer.content_type);
      response_.content_length(answer.body.size());
      if (request_.method() != http::verb::head) response_.body() = std::move(answer.body);
    }
    stream_.expires_after(kResponseTimeout);
    http::async_write(stream_, response_,
                      [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
                        if (error) return;
                        if (keep_alive) return self->read();
                        self->linger();
                      });
  }

  void linger() {
    if (!stream_.end_sending()) return;
    stream_.expires_after(kLingerTimeout);
    buffer_.clear();
    drop_rest(0);
  }

  void drop_rest(std::size_t dropped) {
    if (dropped > kLingerBytesLimit) return;
    stream_.async_read_some(buffer_.prepare(kReadAheadBytes),
                            [self = shared_from_this(), dropped](error_code error, std::size_t bytes) {
                              if (!error) self->drop_rest(dropped + bytes);
                            });
  }

  HttpStream stream_;
  ConnectionSlot slot_;
  Address client_address_;
  Address local_address_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::request<http::string_body> request_;
  std::optional<std::string> page_origin_;  // of the request, if pages from there may use this server
  http::response<http::string_body> response_;
};

}  // namespace

void serve_http(std::shared_ptr<HttpServer::State> server, HttpStream stream, ConnectionSlot slot,
                const Address& client_address) {
  std::make_shared<HttpSession>(std::move(server), std::move(stream), std::move(slot), client_address)
      ->read();
}

std::string_view HttpRequest::header(std::string_view name) const {
  const auto entry = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& h) { return header_name_is(h.first, name); });
  return entry == headers.end() ? std::string_view() : std::string_view(entry->second);
}

std::string_view HttpRequest::query_value(std::string_view name) const {
  const auto entry =
      std::find_if(query.begin(), query.end(), [name](const auto& q) { return q.first == name; });
  return entry == query.end() ? std::string_view() : std::string_view(entry->second);
}

}  // namespace offhook::io
