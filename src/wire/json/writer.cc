#include <charconv>
#include <cmath>

#include "wire/json/json.h"

namespace offhook::json {
namespace {

void append_escaped(std::string& text, std::string_view value) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char letter : value) {
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
    } else if (code < 0x20) {
      text += "\\u00";
      text += kHex[code >> 4U];
      text += kHex[code & 0x0FU];
    } else {
      text += letter;
    }
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
