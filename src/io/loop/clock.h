#pragma once
// The one reader of clocks on the data path: a loop calls it once a wake-up and passes the result down.

#include "base/time.h"

namespace offhook::io {

// CLOCK_MONOTONIC, and CLOCK_REALTIME in whole seconds.
Now read_now();

}  // namespace offhook::io
