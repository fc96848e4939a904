#pragma once
// What HttpServer, its listeners, its HTTP sessions and its WebSockets share. For io/http alone.

#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/keyed_rate.h"
#include "io/http/asio.h"
#include "io/http/http_server.h"
#include "io/http/http_stream.h"
#include "io/http/router.h"

namespace offhook::io {

// One accepted socket. While it exists it is in State::connections.
class Connection {
 public:
  explicit Connection(std::shared_ptr<HttpServer::State> server);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection();
  // Closes the socket now; a WebSocket's on_closed comes before this returns.
  virtual void abort() = 0;

 protected:
  HttpServer::State& server() const { return *server_; }
  const std::shared_ptr<HttpServer::State>& server_pointer() const { return server_; }

 private:
  std::shared_ptr<HttpServer::State> server_;
};

// The place that a socket takes in the limits; it moves from the HTTP session to the WebSocket that it
// becomes.
class ConnectionSlot {
 public:
  ConnectionSlot(std::shared_ptr<HttpServer::State> server, const Ip& client);
  ConnectionSlot(ConnectionSlot&& other) noexcept = default;
  ConnectionSlot& operator=(ConnectionSlot&& other) = delete;
  ~ConnectionSlot();

 private:
  std::shared_ptr<HttpServer::State> server_;
  Ip client_network_;
};

class Listener;

struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
  State(ControlLoop& control_loop, HttpServerSettings http_settings);

  // After how long this client may do what `rate` counts; nothing if it may now.
  std::optional<Duration> wait_of(std::optional<KeyedRate<Ip>>& rate, const Ip& client);
  // False if a limit of settings is reached.
  bool has_room_for(const Ip& client) const;
  // Serves an accepted connection, or closes it at once if a limit is reached.
  void admit(tcp::socket socket, std::optional<TlsConnection> tls, const Address& client_address);

  ControlLoop& loop;
  const HttpServerSettings settings;
  Router router;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::set<Connection*> connections;
  std::size_t slots_taken = 0;
  std::unordered_map<Ip, std::size_t> slots_by_client_network;
  std::optional<KeyedRate<Ip>> request_rate;
  std::optional<KeyedRate<Ip>> websocket_rate;
  bool closing = false;
};

// Serves HTTP on an accepted socket until it closes or becomes a WebSocket. Keeps itself alive.
void serve_http(std::shared_ptr<HttpServer::State> server, HttpStream stream, ConnectionSlot slot,
                const Address& client_address);

}  // namespace offhook::io
