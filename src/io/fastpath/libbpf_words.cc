#include "io/fastpath/libbpf_words.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstdarg>
#include <cstring>

namespace offhook::io {
namespace {

thread_local std::string* kept_words = nullptr;

int keep_words(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG || kept_words == nullptr) return 0;
  std::array<char, 1024> line{};
  (void)vsnprintf(line.data(), line.size(), format, arguments);
  kept_words->append(line.data());
  return 0;
}

// The last line with something in it: the verifier's verdict, or the call that failed.
std::string last_line(const std::string& words) {
  const std::size_t end = words.find_last_not_of(" \n");
  if (end == std::string::npos) return "";
  const std::size_t start = words.find_last_of('\n', end);
  return words.substr(start == std::string::npos ? 0 : start + 1,
                      end - (start == std::string::npos ? 0 : start + 1) + 1);
}

}  // namespace

// The printer stays: it prints nothing where nobody keeps its words, and other threads may load meanwhile.
LibbpfWords::LibbpfWords() {
  assert(kept_words == nullptr);
  kept_words = &words_;
  (void)libbpf_set_print(keep_words);
}

LibbpfWords::~LibbpfWords() { kept_words = nullptr; }

std::string LibbpfWords::why_not_loaded(int code, const Advice& advice) const {
  switch (code) {
    case EPERM:
      return fmt::format(
          "the kernel lets this process load no program; give it {0} (systemd: AmbientCapabilities={0}, or "
          "run as root)",
          advice.capabilities);
    case ENOSYS:
      return "this kernel has no BPF; Linux 5.15 or newer with CONFIG_BPF_SYSCALL is needed";
    case ENOMEM:
    case E2BIG:
      return fmt::format("the kernel has no memory for the maps; {}", advice.memory);
    default:
      return fmt::format("the kernel refuses the program ({}): {}; Linux 5.15 or newer is needed",
                         std::strerror(code), last_line(words_));
  }
}

}  // namespace offhook::io
