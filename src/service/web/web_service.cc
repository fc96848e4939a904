#include "service/web/web_service.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/hex.h"
#include "wire/json/json.h"

namespace offhook::service {
namespace {

constexpr std::string_view kKeep = "public, max-age=31536000, immutable";
constexpr std::string_view kAskAgain = "no-cache";
// Vite puts eight letters of base64url before the extension.
constexpr std::size_t kNameHashLetters = 8;

// The page loads nothing from elsewhere, opens WebSockets here or where the app says, and may not be framed:
// a page that can answer a call must not be clickable unseen.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob: mediastream:; img-src 'self' "
    "data: blob:; "
    "style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

// FNV-1a: tells versions of our own files apart; nobody who could forge one is involved.
std::string entity_tag(std::span<const unsigned char> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3U;
  std::uint8_t octets[8];
  Writer(octets).u64(hash);
  return '"' + to_hex(octets) + '"';
}

// "/assets/app-0a1b2c3d.js"
bool named_by_hash(std::string_view path) {
  if (!path.starts_with("/assets/")) return false;
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot <= kNameHashLetters) return false;
  const std::string_view hash = path.substr(dot - kNameHashLetters, kNameHashLetters);
  const bool letters = std::all_of(hash.begin(), hash.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return letters && path[dot - kNameHashLetters - 1] == '-';
}

// If-None-Match is "*" or a list of tags, of which W/ does not count (RFC 9110 section 13.1.2).
bool names_tag(std::string_view if_none_match, std::string_view tag) {
  if (if_none_match == "*") return true;
  while (!if_none_match.empty()) {
    const std::size_t comma = std::min(if_none_match.find(','), if_none_match.size());
    std::string_view one = if_none_match.substr(0, comma);
    if_none_match.remove_prefix(std::min(comma + 1, if_none_match.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag) return true;
  }
  return false;
}

io::HttpResponse serve(const WebAsset& asset, const std::string& tag, const io::HttpRequest& request) {
  io::HttpResponse response;
  response.content_type = std::string(asset.content_type);
  response.headers = {
      {"ETag", tag},
      {"Cache-Control", std::string(named_by_hash(asset.path) ? kKeep : kAskAgain)},
      {"Content-Security-Policy", std::string(kContentSecurityPolicy)},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Permissions-Policy", "camera=(self), microphone=(self)"},
  };
  if (asset.path.starts_with("/sdk/")) response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  if (names_tag(request.header("If-None-Match"), tag)) {
    response.status = 304;
    return response;
  }
  response.body.assign(asset.bytes.begin(), asset.bytes.end());
  return response;
}

io::HttpResponse answer_now(unsigned status, std::string body) {
  return {status, "application/json", std::move(body), {{"Cache-Control", "no-store"}}};
}

void add_asset(io::HttpServer& server, const WebAsset& asset) {
  const io::HttpHandler handler = [asset, tag = entity_tag(asset.bytes)](const io::HttpRequest& request) {
    return serve(asset, tag, request);
  };
  server.route("GET", std::string(asset.path), handler);
  if (!asset.path.ends_with(".html")) return;
  const std::string_view bare = asset.path.substr(0, asset.path.size() - std::string_view(".html").size());
  server.route("GET", bare == "/index" ? "/" : std::string(bare), handler);
}

}  // namespace

void add_web_routes(io::HttpServer& server, std::span<const WebAsset> assets, ReadyCheck ready) {
  for (const WebAsset& asset : assets) add_asset(server, asset);
  server.route("GET", "/healthz",
               [](const io::HttpRequest&) { return answer_now(200, R"({"status":"ok"})"); });
  server.route("GET", "/readyz", [ready = std::move(ready)](const io::HttpRequest&) {
    const Readiness readiness = ready();
    json::Writer out;
    out.begin_object().field("ready", readiness.ready).field("reason", readiness.reason).end_object();
    return answer_now(readiness.ready ? 200 : 503, out.take());
  });
}

}  // namespace offhook::service
