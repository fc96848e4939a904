#pragma once
// The page, the browser SDK, and the two questions of whoever watches the process:
//
//   GET /            and every other embedded file
//   GET /healthz     200 {"status":"ok"} as long as the process answers
//   GET /readyz      200 or 503 {"ready":true|false,"reason":"…"}

#include <functional>
#include <span>
#include <string>

#include "io/http/http_server.h"
#include "web_assets.h"

namespace offhook::service {

struct Readiness {
  bool ready = false;
  std::string reason;  // what is missing; empty if ready
};
// Asked at each /readyz, on the control thread; must not block.
using ReadyCheck = std::function<Readiness()>;

// Adds the routes; they live as long as `server`. `assets` must outlive it too: web_assets() is static.
//  - "/index.html" is "/" as well, and "/x.html" is "/x".
//  - Files whose name holds the hash of their content ("/assets/app-0a1b2c3d.js") may be kept for ever, all
//  others are
//    asked for again with their ETag.
//  - Files under /sdk/ may be imported by pages of any origin.
void add_web_routes(io::HttpServer& server, std::span<const WebAsset> assets, ReadyCheck ready);
// With the files that are built in.
void add_web_routes(io::HttpServer& server, ReadyCheck ready);

}  // namespace offhook::service
