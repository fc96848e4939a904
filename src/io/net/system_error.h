#pragma once

#include <string>

namespace offhook::io {

// A call to the system that failed, told so that the reader can act.
struct SystemError {
  int code = 0;       // errno
  std::string what;   // what was being done: "bind UDP 0.0.0.0:3478"
  std::string cause;  // why it failed, in words
  std::string hint;   // what to do about it; may be empty
  // "what: cause; hint"
  std::string text() const;
};

// `port`: the port that was asked for, 0 if none.
SystemError system_error(std::string what, int code, unsigned port = 0);

}  // namespace offhook::io
