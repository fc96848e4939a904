#pragma once

#include "service/settings/settings.h"

namespace offhook::cmd {

// Every log line of the process: to standard error, as text or as one JSON object a line.
void set_up_logging(settings::LogFormat format);

}  // namespace offhook::cmd
