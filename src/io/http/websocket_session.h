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
void serve_websocket(std::shared_ptr<HttpServer::State> server, tcp::socket socket, ConnectionSlot slot,
                     const boost::beast::http::request<boost::beast::http::string_body>& upgrade,
                     const HttpRequest& request, const WebSocketHandler& handler);

}  // namespace offhook::io
