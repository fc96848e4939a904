#pragma once
// What a simulation ends with when a rule is broken. `rule` is the same whenever the same rule is broken;
// `text` says by what.

#include <string>
#include <utility>

namespace offhook::sim {

struct Violation {
  std::string rule;
  std::string text;
};

inline void require(bool holds, const char* rule, const std::string& text) {
  if (!holds) throw Violation{rule, text};
}
// Where the text costs something to make.
template <typename Text>
void require_or_say(bool holds, const char* rule, Text text) {
  if (!holds) throw Violation{rule, text()};
}

}  // namespace offhook::sim
