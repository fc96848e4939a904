#pragma once

#include <string>

#include "core/call/effects.h"

namespace offhook::service {

// The one line that a call leaves in the log when it is over. Names are JSON strings, so that no name can
// start a line of its own; there are no addresses in it.
std::string call_line(const call::CallEnded& ended);

}  // namespace offhook::service
