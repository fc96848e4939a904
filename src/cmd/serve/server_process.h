#pragma once
// The composition root: makes the services from settings, joins them, runs until a signal.

#include <string>

#include "service/settings/settings.h"

namespace offhook::cmd {

// Serves until SIGINT or SIGTERM. Returns the exit status; start-up errors are printed with what to do about
// them.
int serve(const settings::Settings& settings);

}  // namespace offhook::cmd
