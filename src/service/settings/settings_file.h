#pragma once

#include <string>

#include "base/result.h"
#include "service/settings/settings.h"

namespace offhook::settings {

// Reads a TOML file into the builder. The error is a sentence for the operator.
Result<void, std::string> apply_file(SettingsBuilder& builder, const std::string& path);

}  // namespace offhook::settings
