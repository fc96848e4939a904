#pragma once

#include <optional>

#include "base/address.h"
#include "io/loop/fd.h"
#include "io/tls/tls_connection.h"

namespace offhook::io {

// An accepted connection on its way to whoever speaks its protocol; with TLS, the handshake is done, and
// bytes that were read already are still to be had from it.
struct AcceptedStream {
  Fd socket;
  std::optional<TlsConnection> tls;  // over `socket`
  Address client_address;
};

}  // namespace offhook::io
