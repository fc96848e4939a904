#pragma once
// HTTP/1.1 and WebSocket (Beast) on the control thread. Everything here runs on the ControlLoop's thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "io/http/control_loop.h"
#include "io/tls/accepted_stream.h"

namespace offhook::io {

struct HttpRequest {
  std::string method;                                        // "GET"
  std::string path;                                          // decoded, without the query
  std::vector<std::string> segments;                         // of the path, each decoded: may hold a slash
  std::vector<std::pair<std::string, std::string>> query;    // decoded
  std::vector<std::pair<std::string, std::string>> headers;  // as sent
  std::string body;
  Address client_address;
  Address local_address;  // which of our addresses the client reached

  // The first header of this name (any case), or empty.
  std::string_view header(std::string_view name) const;
  // The first query value of this name, or empty.
  std::string_view query_value(std::string_view name) const;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// As it was registered; a prefix ends with "*".
struct HttpRoute {
  std::string method;
  std::string path;
  auto operator<=>(const HttpRoute&) const = default;
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

// One accepted WebSocket. Callbacks come on the loop's thread; on_closed comes exactly once, last, and never
// from within send() or close(). After close(), or a send() that returned false, on_message comes no more.
class WebSocket {
 public:
  WebSocket() = default;
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  virtual ~WebSocket() = default;
  // Queues a text frame (UTF-8). If more than `outbound_bytes_limit` would wait, nothing is queued, the queue
  // is dropped, the socket is closed with 4429 and false is returned: a slow reader costs a bounded amount of
  // memory. False too once the socket is closing.
  [[nodiscard]] virtual bool send(std::string text) = 0;
  // Sends what is queued, then a close frame. Codes of docs/protocol.md; `reason` is cut to the 123 bytes of
  // RFC 6455 section 5.5. A second close() does nothing.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  virtual Address client_address() const = 0;
};

struct WebSocketEvents {
  std::function<void(std::string_view text)> on_message;  // whole text messages only
  std::function<void()> on_closed;
};
// Called for an upgrade that passed the Origin check (others are closed with 4403); returns where the
// socket's events go. `socket` stays valid until on_closed has returned. It may send and close at once.
using WebSocketHandler = std::function<WebSocketEvents(WebSocket& socket, const HttpRequest& request)>;

struct HttpServerSettings {
  // Beside the server's own; "*" allows all. Their pages may open WebSockets and read answers (CORS).
  std::vector<std::string> allowed_origins;
  std::size_t header_bytes_limit = 8 * 1024;    // and 64 headers; more is answered 431
  std::size_t body_bytes_limit = 64 * 1024;     // more is answered 413
  std::size_t message_bytes_limit = 64 * 1024;  // larger WebSocket messages close with 4413
  // A WebSocket. A resumed session gets all that was not acknowledged at once, 1 MiB at most, and the rest is
  // for what comes with it: else it would be closed as a slow reader each time it comes back.
  std::size_t outbound_bytes_limit = (1024 + 64) * 1024;
  std::size_t connections_limit = 50000;
  std::size_t connections_per_address_limit = 4096;  // loopback (a proxy) is exempt
  // Of one IPv4 address or one IPv6 /64, with kAddressBurstSeconds' worth at once; 0: no limit. The first is
  // of all requests, the second of upgrades to WebSocket among them: a whole office that comes back after a
  // restart fits into the burst.
  std::uint32_t requests_per_second = 200;
  std::uint32_t websockets_per_second = 50;
  bool exempt_loopback = true;  // a proxy in front: it knows the addresses, and limits them
  // For a whole request, header and body; and for an idle kept-alive connection.
  std::chrono::milliseconds request_timeout{10'000};
  // From WebSocket::close() to the end: what is queued has to leave and the closing handshake to finish in
  // this time.
  std::chrono::milliseconds close_timeout{5'000};
};

inline constexpr std::uint32_t kAddressBurstSeconds = 20;

struct ListenError {
  Address address;
  int error = 0;        // errno
  std::string message;  // what happened, likely cause, what to do
};

// `loop` must outlive the server. Handlers are registered before listen() or from the loop's thread.
class HttpServer {
 public:
  HttpServer(ControlLoop& loop, HttpServerSettings settings);
  // Closes every connection; on_closed of each WebSocket comes before the destructor returns.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // A GET route answers HEAD as well. An exact path goes before one with a placeholder ("/api/calls/{call}";
  // the handler finds the value in `segments`), that before a prefix, the longest prefix before a shorter
  // one.
  void route(std::string method, std::string path, HttpHandler handler);
  void route_prefix(std::string method, std::string prefix, HttpHandler handler);
  void websocket(std::string path, WebSocketHandler handler);
  // All of them, WebSockets apart.
  std::vector<HttpRoute> routes() const;
  // Port 0 takes a free one. Returns the bound address.
  Result<Address, ListenError> listen(const Address& address);
  // Serves a connection that somebody else accepted, in the clear or by TLS, as if it had come in here;
  // closes it if a limit is reached.
  void adopt(AcceptedStream stream);
  void stop_listening();
  std::size_t connection_count() const;

  struct State;  // for io/http alone

 private:
  std::shared_ptr<State> state_;
};

// `{"error":{"code":…,"message":…}}`. Code and message are ours, plain ASCII without quotes.
HttpResponse error_response(unsigned status, std::string_view code, std::string_view message);

}  // namespace offhook::io
