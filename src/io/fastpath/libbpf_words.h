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

  // Why nothing was loaded, and what to do about it, for one line. `code`: an errno; `memory_advice`: how the
  // program can do with less memory.
  std::string why_not_loaded(int code, const char* memory_advice) const;

 private:
  std::string words_;
};

}  // namespace offhook::io
