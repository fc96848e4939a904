#include "io/http/http_server.h"

// Before any header of Boost: it says how Asio and Beast are compiled.
#include "io/http/asio.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/http/connection.h"
#include "io/net/socket.h"

namespace offhook::io {
namespace {

// Out of descriptors or memory: accept() fails at once and the connection stays in the backlog. Asking again
// only after a while leaves the processor to those who can give descriptors back.
constexpr std::chrono::milliseconds kAcceptRetry{100};

// One household or company has one IPv4 address or one /64.
Ip network_of(const Ip& client) {
  if (client.is_v4()) return client;
  std::array<std::uint8_t, 16> octets{};
  const Bytes network = client.octets().first(8);
  std::copy(network.begin(), network.end(), octets.begin());
  return Ip::v6(octets);
}

// That a rate remembers, some 200 bytes each. One that has come back to its full burst is forgotten, so these
// are those of the last seconds.
constexpr std::size_t kRatedAddressesLimit = 16384;

std::optional<KeyedRate<Ip>> rate_of(std::uint32_t per_second) {
  if (per_second == 0) return std::nullopt;
  return KeyedRate<Ip>(Duration(std::chrono::seconds(1)) / per_second, per_second * kAddressBurstSeconds,
                       kRatedAddressesLimit);
}

std::string explain(const Address& address, int error) {
  const std::string port = std::to_string(address.port);
  std::string text = "cannot listen on " + address.text() + ": " + std::strerror(error) + "; ";
  switch (error) {
    case EADDRINUSE:
      return text + "another program holds this port (`ss -ltnp 'sport = :" + port +
             "'` names it): stop it or choose another port (--http-port)";
    case EACCES:
      return text +
             "a port below 1024 needs the capability CAP_NET_BIND_SERVICE (AmbientCapabilities= in a systemd "
             "unit): grant it or choose another port (--http-port)";
    case EADDRNOTAVAIL:
      return text + "this machine has no such address (`ip address` lists what it has)";
    case EAFNOSUPPORT:
      return text + "IPv6 is switched off on this machine: leave out the IPv6 address";
    case EMFILE:
      return text + "the limit of open files is reached (`ulimit -n`, LimitNOFILE= in a systemd unit)";
    default:
      return text + "check the address and the port";
  }
}

}  // namespace

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  explicit Listener(std::shared_ptr<HttpServer::State> server)
      : server_(std::move(server)),
        acceptor_(server_->loop.asio().context),
        retry_(server_->loop.asio().context) {}

  Result<Address, ListenError> open(const Address& address) {
    boost::system::error_code error;
    const tcp::endpoint endpoint = to_endpoint(address);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    // An IPv6 socket takes IPv6 alone: whoever wants both families listens twice.
    if (!error && !address.ip.is_v4()) acceptor_.set_option(asio::ip::v6_only(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    tcp::endpoint bound;
    if (!error) bound = acceptor_.local_endpoint(error);
    if (error) return fail(ListenError{address, error.value(), explain(address, error.value())});
    return from_endpoint(bound);
  }

  void accept() {
    acceptor_.async_accept(
        [self = shared_from_this()](const boost::system::error_code& error, tcp::socket socket) {
          self->handle_accept(error, std::move(socket));
        });
  }

  void close() {
    boost::system::error_code ignored;  // closing a listening socket has no failure that anybody could act on
    acceptor_.close(ignored);
    retry_.cancel();
  }

 private:
  void handle_accept(const boost::system::error_code& error, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (!error) admit(std::move(socket));
    const bool only_this_connection = error.value() == ECONNABORTED;
    if (!error || only_this_connection) return accept();
    retry_.expires_after(kAcceptRetry);
    retry_.async_wait([self = shared_from_this()](const boost::system::error_code& canceled) {
      if (!canceled && self->acceptor_.is_open()) self->accept();
    });
  }

  void admit(tcp::socket socket) {
    boost::system::error_code error;
    const tcp::endpoint endpoint = socket.remote_endpoint(error);
    if (error) return;  // gone already
    send_promptly(socket.native_handle());
    server_->admit(std::move(socket), std::nullopt, from_endpoint(endpoint));
  }

  std::shared_ptr<HttpServer::State> server_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
};

Connection::Connection(std::shared_ptr<HttpServer::State> server) : server_(std::move(server)) {
  server_->connections.insert(this);
}
Connection::~Connection() { server_->connections.erase(this); }

ConnectionSlot::ConnectionSlot(std::shared_ptr<HttpServer::State> server, const Ip& client)
    : server_(std::move(server)), client_network_(network_of(client)) {
  server_->slots_taken += 1;
  server_->slots_by_client_network[client_network_] += 1;
}
ConnectionSlot::~ConnectionSlot() {
  if (server_ == nullptr) return;
  server_->slots_taken -= 1;
  const auto entry = server_->slots_by_client_network.find(client_network_);
  entry->second -= 1;
  if (entry->second == 0) server_->slots_by_client_network.erase(entry);
}

HttpServer::State::State(ControlLoop& control_loop, HttpServerSettings http_settings)
    : loop(control_loop),
      settings(std::move(http_settings)),
      request_rate(rate_of(settings.requests_per_second)),
      websocket_rate(rate_of(settings.websockets_per_second)) {}

std::optional<Duration> HttpServer::State::wait_of(std::optional<KeyedRate<Ip>>& rate, const Ip& client) {
  if (!rate || (settings.exempt_loopback && client.is_loopback())) return std::nullopt;
  return rate->take(network_of(client), ControlLoop::now().monotonic);
}

bool HttpServer::State::has_room_for(const Ip& client) const {
  if (closing || slots_taken >= settings.connections_limit) return false;
  if (client.is_loopback()) return true;
  const auto entry = slots_by_client_network.find(network_of(client));
  return entry == slots_by_client_network.end() || entry->second < settings.connections_per_address_limit;
}

void HttpServer::State::admit(tcp::socket socket, std::optional<TlsConnection> tls,
                              const Address& client_address) {
  if (!has_room_for(client_address.ip)) return;
  serve_http(shared_from_this(), HttpStream(std::move(socket), std::move(tls)),
             ConnectionSlot(shared_from_this(), client_address.ip), client_address);
}

HttpServer::HttpServer(ControlLoop& loop, HttpServerSettings settings)
    : state_(std::make_shared<State>(loop, std::move(settings))) {}

HttpServer::~HttpServer() {
  stop_listening();
  state_->closing = true;
  const std::set<Connection*> connections = state_->connections;  // abort() does not destroy, the loop does
  for (Connection* connection : connections) connection->abort();
  state_->router = {};  // whatever the loop still holds of the server must not keep the services' handlers
}

void HttpServer::route(std::string method, std::string path, HttpHandler handler) {
  state_->router.add(std::move(method), std::move(path), std::move(handler));
}

void HttpServer::route_prefix(std::string method, std::string prefix, HttpHandler handler) {
  state_->router.add_prefix(std::move(method), std::move(prefix), std::move(handler));
}

void HttpServer::websocket(std::string path, WebSocketHandler handler) {
  state_->router.add_websocket(std::move(path), std::move(handler));
}

std::vector<HttpRoute> HttpServer::routes() const { return state_->router.routes(); }

Result<Address, ListenError> HttpServer::listen(const Address& address) {
  auto listener = std::make_shared<Listener>(state_);
  auto bound = listener->open(address);
  if (!bound) return bound;
  listener->accept();
  state_->listeners.push_back(std::move(listener));
  return bound;
}

void HttpServer::adopt(AcceptedStream stream) {
  tcp::socket socket(state_->loop.asio().context);
  boost::system::error_code error;
  const auto protocol = stream.client_address.ip.is_v4() ? tcp::v4() : tcp::v6();
  socket.assign(protocol, stream.socket.get(), error);
  if (error) return;  // out of memory: the connection is closed
  (void)stream.socket.release();
  state_->admit(std::move(socket), std::move(stream.tls), stream.client_address);
}

void HttpServer::stop_listening() {
  for (const auto& listener : state_->listeners) listener->close();
  state_->listeners.clear();
}

std::size_t HttpServer::connection_count() const { return state_->slots_taken; }

HttpResponse error_response(unsigned status, std::string_view code, std::string_view message) {
  HttpResponse response;
  response.status = status;
  response.body =
      R"({"error":{"code":")" + std::string(code) + R"(","message":")" + std::string(message) + R"("}})";
  // Each 401 says how to do better (RFC 9110 section 15.5.2), and there is one way here.
  if (status == 401) response.headers = {{"WWW-Authenticate", "Bearer"}};
  return response;
}

}  // namespace offhook::io
