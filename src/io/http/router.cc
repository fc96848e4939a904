#include "io/http/router.h"

#include <algorithm>
#include <utility>

namespace offhook::io {
namespace {

// "GET, HEAD, POST": what RFC 9110 section 10.2.1 wants beside a 405.
template <typename Handlers>
std::string allowed_methods(const Handlers& handlers) {
  std::string text;
  for (const auto& [method, handler] : handlers) {
    if (!text.empty()) text += ", ";
    text += method == "GET" ? "GET, HEAD" : method;
  }
  return text;
}

}  // namespace

void Router::add(std::string method, std::string path, HttpHandler handler) {
  if (path.find('{') != std::string::npos) {
    auto entry = std::ranges::find(patterns_, path, &Pattern::path);
    if (entry == patterns_.end()) entry = patterns_.insert(entry, Pattern{path, segments_of(path), {}});
    entry->handlers[std::move(method)] = std::move(handler);
    return;
  }
  handlers_by_path_[std::move(path)][std::move(method)] = std::move(handler);
}

void Router::add_prefix(std::string method, std::string prefix, HttpHandler handler) {
  auto entry =
      std::find_if(prefixes_.begin(), prefixes_.end(), [&](const Prefix& p) { return p.path == prefix; });
  if (entry == prefixes_.end()) {
    entry = std::find_if(prefixes_.begin(), prefixes_.end(),
                         [&](const Prefix& p) { return p.path.size() < prefix.size(); });
    entry = prefixes_.insert(entry, Prefix{std::move(prefix), {}});
  }
  entry->handlers[std::move(method)] = std::move(handler);
}

void Router::add_websocket(std::string path, WebSocketHandler handler) {
  websockets_by_path_[std::move(path)] = std::move(handler);
}

std::vector<std::string> Router::segments_of(std::string_view pattern) {
  std::vector<std::string> segments;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);  // the slash
    const std::size_t end = std::min(pattern.find('/'), pattern.size());
    const std::string_view segment = pattern.substr(0, end);
    segments.emplace_back(segment.starts_with('{') ? std::string_view() : segment);
    pattern.remove_prefix(end);
  }
  return segments;
}

bool Router::matches(const Pattern& pattern, const std::vector<std::string>& segments) {
  return std::ranges::equal(pattern.segments, segments,
                            [](const std::string& wanted, const std::string& given) {
                              return wanted.empty() ? !given.empty() : wanted == given;
                            });
}

std::vector<HttpRoute> Router::routes() const {
  std::vector<HttpRoute> routes;
  for (const auto& [path, handlers] : handlers_by_path_) {
    for (const auto& [method, handler] : handlers) routes.push_back({method, path});
  }
  for (const Pattern& pattern : patterns_) {
    for (const auto& [method, handler] : pattern.handlers) routes.push_back({method, pattern.path});
  }
  for (const Prefix& prefix : prefixes_) {
    for (const auto& [method, handler] : prefix.handlers) routes.push_back({method, prefix.path + "*"});
  }
  return routes;
}

const Router::HandlersByMethod* Router::find(const HttpRequest& request) const {
  const std::string_view path = request.path;
  if (const auto exact = handlers_by_path_.find(path); exact != handlers_by_path_.end())
    return &exact->second;
  for (const Pattern& pattern : patterns_) {
    if (matches(pattern, request.segments)) return &pattern.handlers;
  }
  for (const Prefix& prefix : prefixes_) {
    if (path.starts_with(prefix.path)) return &prefix.handlers;
  }
  return nullptr;
}

const WebSocketHandler* Router::websocket(std::string_view path) const {
  const auto entry = websockets_by_path_.find(path);
  return entry == websockets_by_path_.end() ? nullptr : &entry->second;
}

std::string Router::methods(const HttpRequest& request) const {
  const HandlersByMethod* handlers = websocket(request.path) == nullptr ? find(request) : nullptr;
  return handlers == nullptr ? std::string() : allowed_methods(*handlers);
}

HttpResponse Router::answer(const HttpRequest& request) const {
  if (websocket(request.path) != nullptr) {
    HttpResponse response = error_response(426, "upgrade_required", "This path speaks WebSocket only.");
    response.headers = {{"Upgrade", "websocket"}};
    return response;
  }
  const HandlersByMethod* handlers = find(request);
  if (handlers == nullptr) return error_response(404, "not_found", "There is nothing at this path.");
  const auto entry =
      handlers->find(request.method == "HEAD" ? std::string_view("GET") : std::string_view(request.method));
  if (entry != handlers->end()) return entry->second(request);
  HttpResponse response = error_response(405, "method_not_allowed", "This path has no such method.");
  response.headers = {{"Allow", allowed_methods(*handlers)}};
  return response;
}

}  // namespace offhook::io
