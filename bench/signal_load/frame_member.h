#pragma once
// Members of a frame by their names, without a parser: the generator must cost less than the server, and it
// only ever reads what this server's writers make. A quote inside a JSON string is escaped, so `"name":`
// stands nowhere but at a member.

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace offhook::bench {

// What follows `"name":`; empty if there is no such member.
inline std::string_view after_name(std::string_view frame, std::string_view quoted_name_and_colon) {
  const std::size_t at = frame.find(quoted_name_and_colon);
  return at == std::string_view::npos ? std::string_view() : frame.substr(at + quoted_name_and_colon.size());
}

// The text of a string member as it stands in the frame, escapes included; empty if it is none.
inline std::string_view text_member(std::string_view frame, std::string_view quoted_name_and_colon) {
  std::string_view rest = after_name(frame, quoted_name_and_colon);
  if (!rest.starts_with('"')) return {};
  rest.remove_prefix(1);
  const std::size_t end = rest.find('"');
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

inline std::optional<std::uint64_t> number_member(std::string_view frame,
                                                  std::string_view quoted_name_and_colon) {
  const std::string_view rest = after_name(frame, quoted_name_and_colon);
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (rest.empty() || parsed.ec != std::errc()) return std::nullopt;
  return number;
}

}  // namespace offhook::bench
