#pragma once
// A configuration file as the TOML parser gets it. toml++ 3.3 runs into undefined behaviour on most letters
// beyond ASCII (its table of white space has no answer for them), so none reach it: in comments they are
// blanked, in texts they are written as escapes ("\u00e9"). Texts over several lines would blur where a text
// ends; no setting needs one.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace offhook::settings {

struct TextFault {
  std::size_t line = 0;  // from 1
  const char* what = nullptr;
};

// The file with plain comments, or its first fault.
Result<std::string, TextFault> plain_toml(std::string_view text);

}  // namespace offhook::settings
