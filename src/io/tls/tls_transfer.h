#pragma once

#include <cstddef>
#include <cstdint>

namespace offhook::io {

enum class TlsStatus : std::uint8_t {
  done,
  wants_read,
  wants_write,
  ended,  // by the peer, by the network, or by a fault of TLS; nothing more will come or go
};

struct TlsTransfer {
  TlsStatus status = TlsStatus::ended;
  std::size_t bytes = 0;  // at least 1 if done
};

}  // namespace offhook::io
