#pragma once

#include <string>

#include "base/time.h"
#include "wire/signal/types.h"

namespace offhook::service {

// A call whose callee is to be woken, as long as it lives.
struct Ring {
  signal::CallId call;
  std::string caller;
  std::string callee;
  signal::Media media;
  Instant began;
  Duration ring_timeout{};

  Instant rings_until() const { return began + ring_timeout; }
};

}  // namespace offhook::service
