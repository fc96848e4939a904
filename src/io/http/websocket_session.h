#pragma once
// Turns an HTTP connection into a WebSocket. For io/http alone.

// Before any header of Boost: it says how Asio and Beast are compiled.
#include "io/http/asio.h"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "io/http/connection.h"

namespace offhook::io {

// `upgrade` passed the Origin check and `handler` serves its path. Keeps itself alive until the socket is
// closed.
void serve_websocket(std::shared_ptr<HttpServer::State> server, HttpStream stream, ConnectionSlot slot,
                     const boost::beast::http::request<boost::beast::http::string_body>& upgrade,
                     const HttpRequest& request, const WebSocketHandler& handler);

// Why an upgrade is refused: closed with 4403 or 4429.
enum class Refused : std::uint8_t { foreign_origin, too_many };

// The same for an upgrade that is refused: completes it and closes at once, because a browser tells its page
// of a close code and not of an HTTP status. What the client sends is dropped; the socket is gone a
// close_timeout later at the latest.
void refuse_websocket(std::shared_ptr<HttpServer::State> server, HttpStream stream, ConnectionSlot slot,
                      const boost::beast::http::request<boost::beast::http::string_body>& upgrade,
                      const HttpRequest& request, Refused why);

}  // namespace offhook::io
