#pragma once

#include <memory>

struct ssl_ctx_st;

namespace offhook::io {

// What every TLS connection of one certificate shares. Any thread may start connections from it; connections
// keep it alive.
using TlsContext = std::shared_ptr<ssl_ctx_st>;

}  // namespace offhook::io
