#pragma once
// What libbpf says while it loads a program, which it would print; and what an operator is told of it.

#include <string>

namespace offhook::io {

// Keeps what libbpf says in this thread as long as it lives. One at a time in a thread.
class LibbpfWords {
 public:
  LibbpfWords();
  ~LibbpfWords();
  LibbpfWords(const LibbpfWords&) = delete;
  LibbpfWords& operator=(const LibbpfWords&) = delete;

  // How the process may have a program: capabilities, as systemd writes them; and how that does with less
  // memory.
  struct Advice {
    const char* capabilities;
    const char* memory;
  };
  // Why nothing was loaded, and what to do about it, for one line. `code`: an errno.
  std::string why_not_loaded(int code, const Advice& advice) const;

 private:
  std::string words_;
};

}  // namespace offhook::io
