#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>
#include <string>
#include <vector>

#include "wire/json/json.h"

namespace offhook::json {
namespace {

namespace bj = boost::json;

// What the library calls while it reads: builds the value, and counts the members that the text has, for a
// duplicate key is one that the finished value lacks.
struct Builder {
  using error_code = bj::error_code;
  static constexpr std::size_t max_object_size = bj::object::max_size();
  static constexpr std::size_t max_array_size = bj::array::max_size();
  static constexpr std::size_t max_key_size = bj::string::max_size();
  static constexpr std::size_t max_string_size = bj::string::max_size();

  bool on_document_begin(error_code&) {
    stack.reset();
    return true;
  }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t members, error_code&) {
    members_read += members;
    stack.push_object(members);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t elements, error_code&) {
    stack.push_array(elements);
    return true;
  }
  bool on_key_part(bj::string_view part, std::size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_key(bj::string_view part, std::size_t, error_code&) {
    stack.push_key(part);
    return true;
  }
  bool on_string_part(bj::string_view part, std::size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(bj::string_view part, std::size_t, error_code&) {
    stack.push_string(part);
    return true;
  }
  bool on_number_part(bj::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, bj::string_view, error_code&) {
    stack.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, bj::string_view, error_code&) {
    stack.push_uint64(value);
    return true;
  }
  bool on_double(double value, bj::string_view, error_code&) {
    stack.push_double(value);
    return true;
  }
  bool on_bool(bool value, error_code&) {
    stack.push_bool(value);
    return true;
  }
  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(bj::string_view, error_code&) { return true; }
  bool on_comment(bj::string_view, error_code&) { return true; }

  bj::value_stack stack;
  std::size_t members_read = 0;
};

// Recursion is bounded by ParseLimits::max_depth.
std::size_t count_members(const bj::value& value) {
  std::size_t count = 0;
  if (const bj::object* object = value.if_object()) {
    count += object->size();
    for (const bj::key_value_pair& member : *object) count += count_members(member.value());
  } else if (const bj::array* array = value.if_array()) {
    for (const bj::value& element : *array) count += count_members(element);
  }
  return count;
}

}  // namespace

std::string ParseError::text() const {
  switch (fault) {
    case ParseFault::too_long:
      return "is too long";
    case ParseFault::too_deep:
      return "is nested too deeply at byte " + std::to_string(offset);
    case ParseFault::malformed:
      return "is not JSON at byte " + std::to_string(offset);
    case ParseFault::duplicate_key:
      return "has a key twice in one object";
  }
  return {};
}

Result<Document, ParseError> parse(std::string_view text, ParseLimits limits) {
  if (text.size() > limits.max_bytes) return fail(ParseError{ParseFault::too_long, 0});
  bj::parse_options options;
  options.max_depth = limits.max_depth;
  bj::basic_parser<Builder> parser(options);
  bj::error_code error;
  const std::size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (!error && consumed < text.size()) error = bj::error::extra_data;
  if (error == bj::error::too_deep) return fail(ParseError{ParseFault::too_deep, consumed});
  if (error) return fail(ParseError{ParseFault::malformed, consumed});
  auto root = std::make_unique<const bj::value>(parser.handler().stack.release());
  if (count_members(*root) != parser.handler().members_read) {
    return fail(ParseError{ParseFault::duplicate_key, 0});
  }
  return Document(std::move(root));
}

Document::Document(std::unique_ptr<const boost::json::value> root) : root_(std::move(root)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

}  // namespace offhook::json
