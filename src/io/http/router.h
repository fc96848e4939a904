#pragma once
// Which handler answers a request.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/http/http_server.h"

namespace offhook::io {

class Router {
 public:
  // "/a/{x}/b" is a path whose second segment may be anything but empty.
  void add(std::string method, std::string path, HttpHandler handler);
  void add_prefix(std::string method, std::string prefix, HttpHandler handler);
  void add_websocket(std::string path, WebSocketHandler handler);

  // The handler's answer; 404 for no such path, 405 (with Allow) for another method, 426 for a WebSocket's
  // path.
  HttpResponse answer(const HttpRequest& request) const;
  // "GET, HEAD, POST": what is answered at this path, and not with 404 or 405. Empty if it has no route.
  std::string methods(const HttpRequest& request) const;
  // Null if no WebSocket is served at this path.
  const WebSocketHandler* websocket(std::string_view path) const;
  std::vector<HttpRoute> routes() const;

 private:
  using HandlersByMethod = std::map<std::string, HttpHandler, std::less<>>;
  struct Prefix {
    std::string path;
    HandlersByMethod handlers;
  };
  struct Pattern {
    std::string path;                   // "/a/{x}/b"
    std::vector<std::string> segments;  // empty where anything is allowed
    HandlersByMethod handlers;
  };
  static std::vector<std::string> segments_of(std::string_view pattern);
  static bool matches(const Pattern& pattern, const std::vector<std::string>& segments);
  const HandlersByMethod* find(const HttpRequest& request) const;

  std::map<std::string, HandlersByMethod, std::less<>> handlers_by_path_;
  std::vector<Pattern> patterns_;  // no two of them match the same
  std::vector<Prefix> prefixes_;   // longest first
  std::map<std::string, WebSocketHandler, std::less<>> websockets_by_path_;
};

}  // namespace offhook::io
