#include "service/settings/text_fault.h"

namespace offhook::settings {
namespace {

constexpr TextFault unfinished(std::size_t line) {
  return {line, "a text must end on the line on which it begins"};
}
constexpr TextFault beyond_ascii(std::size_t line) {
  return {line, "letters beyond ASCII are written as escapes between double quotes, such as \"caf\\u00e9\""};
}

bool is_plain(char letter) { return letter == '\t' || letter == '\r' || (letter >= 0x20 && letter < 0x7F); }

}  // namespace

Result<std::string, TextFault> plain_toml(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  enum class In { nothing, comment, basic_text, literal_text };
  In in = In::nothing;
  std::size_t line = 1;
  std::string plain(text);
  for (std::size_t at = 0; at < plain.size(); ++at) {
    const char letter = plain[at];
    if (letter == '\n') {
      if (in == In::basic_text || in == In::literal_text) return fail(unfinished(line));
      in = In::nothing;
      line += 1;
      continue;
    }
    switch (in) {
      case In::nothing:
        if (letter == '#') in = In::comment;
        if (letter == '"') in = In::basic_text;
        if (letter == '\'') in = In::literal_text;
        break;
      case In::comment:
        if (!is_plain(letter)) plain[at] = '?';
        break;
      case In::basic_text:
        if (letter == '"') in = In::nothing;
        if (letter == '\\' && at + 1 < plain.size() && is_plain(plain[at + 1])) at += 1;
        break;
      case In::literal_text:
        if (letter == '\'') in = In::nothing;
        break;
    }
    if (!is_plain(plain[at])) return fail(beyond_ascii(line));
  }
  if (in == In::basic_text || in == In::literal_text) return fail(unfinished(line));
  return plain;
}

}  // namespace offhook::settings
