#include <algorithm>
#include <charconv>
#include <cmath>

#include "wire/json/json.h"

namespace offhook::json {
namespace {

bool needs_escape(char letter) {
  return letter == '"' || letter == '\\' || static_cast<unsigned char>(letter) < 0x20;
}

void append_escape(std::string& text, char letter) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(letter);
  if (letter == '"' || letter == '\\') {
    text += '\\';
    text += letter;
  } else if (letter == '\n') {
    text += "\\n";
  } else if (letter == '\r') {
    text += "\\r";
  } else if (letter == '\t') {
    text += "\\t";
  } else {
    text += "\\u00";
    text += kHex[code >> 4U];
    text += kHex[code & 0x0FU];
  }
}

// What needs no escape goes in one piece.
void append_escaped(std::string& text, std::string_view value) {
  while (!value.empty()) {
    const auto plain =
        static_cast<std::size_t>(std::find_if(value.begin(), value.end(), needs_escape) - value.begin());
    text += value.substr(0, plain);
    if (plain == value.size()) return;
    append_escape(text, value[plain]);
    value.remove_prefix(plain + 1);
  }
}

}  // namespace

void Writer::separate() {
  if (comma_due_) text_ += ',';
  comma_due_ = true;
}

Writer& Writer::begin_object() {
  separate();
  text_ += '{';
  comma_due_ = false;
  return *this;
}

Writer& Writer::end_object() {
  text_ += '}';
  comma_due_ = true;
  return *this;
}

Writer& Writer::begin_array() {
  separate();
  text_ += '[';
  comma_due_ = false;
  return *this;
}

Writer& Writer::end_array() {
  text_ += ']';
  comma_due_ = true;
  return *this;
}

Writer& Writer::key(std::string_view name) {
  string(name);
  text_ += ':';
  comma_due_ = false;
  return *this;
}

Writer& Writer::string(std::string_view value) {
  separate();
  text_ += '"';
  append_escaped(text_, value);
  text_ += '"';
  return *this;
}

Writer& Writer::integer(std::int64_t value) {
  separate();
  text_ += std::to_string(value);
  return *this;
}

Writer& Writer::number(double value) {
  if (!std::isfinite(value)) return null();
  separate();
  char digits[32];  // the shortest form that reads back the same has at most 24 letters
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  text_.append(digits, end);
  return *this;
}

Writer& Writer::boolean(bool value) {
  separate();
  text_ += value ? "true" : "false";
  return *this;
}

Writer& Writer::null() {
  separate();
  text_ += "null";
  return *this;
}

}  // namespace offhook::json
