#pragma once
// JSON (RFC 8259), strictly: UTF-8 alone, no comments, no trailing commas, no duplicate keys (RFC 8725
// section 3.7 asks for that of tokens; nothing that we read needs them), and limits that the caller names.
// The only user of the JSON library.
//
//   const auto document = json::parse(text, {.max_bytes = 4096});
//   if (!document) return fail(...);
//   json::Fields fields(document->root());
//   const std::string_view name = fields.string("name", {.max = 64});
//   if (!fields.ok()) return fail(fields.problem().text());

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace boost::json {
class value;
}

namespace offhook::json {

struct ParseLimits {
  std::size_t max_bytes = 0;
  std::size_t max_depth = 16;  // arrays and objects that stand in each other
};

enum class ParseFault { too_long, too_deep, malformed, duplicate_key };

struct ParseError {
  ParseFault fault = ParseFault::malformed;
  std::size_t offset = 0;  // bytes from the start; 0 for too_long and duplicate_key
  std::string text() const;
};

// A borrowed view of a parsed value: valid as long as its Document.
class Value {
 public:
  Value() = default;  // a null
  explicit Value(const boost::json::value* value) : value_(value) {}

  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  // Each is nullopt where the value is of another type. An integer written as 3.0 is a number and no integer.
  std::optional<bool> boolean() const;
  std::optional<std::int64_t> integer() const;
  std::optional<double> number() const;  // integers too; finite
  std::optional<std::string_view> string() const;
  // Members of an object, or elements of an array; 0 for anything else.
  std::size_t size() const;
  // nullopt where this is no object or has no such member.
  std::optional<Value> find(std::string_view key) const;
  // A null where this is no array or has no such element.
  Value at(std::size_t index) const;

 private:
  const boost::json::value* value_ = nullptr;
};

class Document {
 public:
  explicit Document(std::unique_ptr<const boost::json::value> root);
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();
  Value root() const { return Value(root_.get()); }

 private:
  std::unique_ptr<const boost::json::value> root_;
};

// Does not throw (out of memory aside).
Result<Document, ParseError> parse(std::string_view text, ParseLimits limits);

struct StringLimits {
  std::size_t min = 1;  // bytes
  std::size_t max = 0;
};

// What is wrong with which field.
struct FieldProblem {
  std::string field;
  std::string what;  // "is missing", "must be a string", ...
  std::string text() const { return field + " " + what; }
};

// Reads the members of an object. Failure is sticky, as in Reader: a wrong field is remembered (the first
// one), its value is empty or zero, and the caller checks ok() once before it believes anything. An optional
// field may be absent or null; of the wrong type it is a failure like any other. Unknown members are ignored.
// Borrows the Document.
class Fields {
 public:
  explicit Fields(Value object);

  std::string_view string(std::string_view key, StringLimits limits);
  std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max);
  double number(std::string_view key, double min, double max);
  bool boolean(std::string_view key);
  Value object(std::string_view key);
  Value array(std::string_view key);

  std::optional<std::string_view> optional_string(std::string_view key, StringLimits limits);
  std::optional<std::int64_t> optional_integer(std::string_view key, std::int64_t min, std::int64_t max);
  std::optional<double> optional_number(std::string_view key, double min, double max);
  std::optional<bool> optional_boolean(std::string_view key);
  std::optional<Value> optional_object(std::string_view key);
  std::optional<Value> optional_array(std::string_view key);

  bool has(std::string_view key) const;  // present and not null
  // For rules that the types above do not know; keeps the first problem.
  void refuse(std::string_view key, std::string what);
  bool ok() const { return !problem_; }
  // Precondition: !ok().
  const FieldProblem& problem() const { return *problem_; }

 private:
  std::optional<Value> member(std::string_view key) const;
  std::optional<Value> required(std::string_view key);

  Value object_;
  std::optional<FieldProblem> problem_;
};

// Writes JSON text from front to back; the order is the caller's. A misuse (a value without a key in an
// object) is the caller's bug and gives wrong text. Strings are taken for UTF-8 and escaped as RFC 8259
// section 7 asks.
//
//   json::Writer out;
//   out.begin_object().field("ttl",
//   3600).key("uris").begin_array().string("stun:…").end_array().end_object(); return out.take();
class Writer {
 public:
  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& string(std::string_view value);
  Writer& integer(std::int64_t value);
  Writer& number(double value);  // a null where it is not finite
  Writer& boolean(bool value);
  Writer& null();

  Writer& field(std::string_view name, std::string_view value) { return key(name).string(value); }
  Writer& field(std::string_view name, const char* value) { return key(name).string(value); }
  Writer& field(std::string_view name, bool value) { return key(name).boolean(value); }
  Writer& field(std::string_view name, int value) { return key(name).integer(value); }
  Writer& field(std::string_view name, std::int64_t value) { return key(name).integer(value); }
  Writer& field(std::string_view name, double value) { return key(name).number(value); }

  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  void separate();

  std::string text_;
  bool comma_due_ = false;
};

}  // namespace offhook::json
