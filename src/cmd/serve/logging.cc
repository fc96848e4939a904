#include "cmd/serve/logging.h"

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>

namespace offhook::cmd {
namespace {

void append_json_text(spdlog::memory_buf_t& line, std::string_view text) {
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      line.push_back('\\');
      line.push_back(letter);
    } else if (code < 0x20) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", code);
    } else {
      line.push_back(letter);
    }
  }
}

// {"time":1790000000.123,"level":"info","message":"…"}
class JsonLines final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    const auto since_epoch =
        std::chrono::duration_cast<std::chrono::milliseconds>(message.time.time_since_epoch());
    fmt::format_to(std::back_inserter(line), "{{\"time\":{}.{:03},\"level\":\"{}\",\"message\":\"",
                   since_epoch.count() / 1000, since_epoch.count() % 1000,
                   fmt::string_view(spdlog::level::to_string_view(message.level).data()));
    append_json_text(line, {message.payload.data(), message.payload.size()});
    const std::string_view end = "\"}\n";
    line.append(end.data(), end.data() + end.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonLines>(); }
};

}  // namespace

void set_up_logging(settings::LogFormat format) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("offhook"));
  spdlog::set_level(spdlog::level::info);
  switch (format) {
    case settings::LogFormat::text:
      spdlog::set_pattern("%H:%M:%S.%e %^%l%$ %v");
      return;
    case settings::LogFormat::json:
      spdlog::set_formatter(std::make_unique<JsonLines>());
      return;
  }
}

}  // namespace offhook::cmd
