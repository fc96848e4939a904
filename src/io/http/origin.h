#pragma once
// May this page open a WebSocket here (RFC 6455 section 10.2), and read our answers (CORS)? A browser sends
// Origin and a page cannot forge it.

#include <string>
#include <string_view>
#include <vector>

namespace offhook::io {

// `origin`: the Origin header, empty if there was none; `host`: the Host header; `by_tls`: the request came
// in by TLS. True for
//  - no Origin: not a browser; it has to show a token like everybody, and has no cookie that a page could
//  borrow;
//  - the server's own origin: host and port of Origin are those of Host (default ports filled in), and the
//  scheme is https if we speak TLS ourselves; without TLS it may be either, because a proxy may speak it for
//  us;
//  - one of `allowed`, or any if that holds "*".
// False for all else, "null" included.
bool origin_allowed(std::string_view origin, std::string_view host, bool by_tls,
                    const std::vector<std::string>& allowed);

}  // namespace offhook::io
