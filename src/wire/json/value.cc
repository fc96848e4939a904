#include <boost/json/value.hpp>
#include <cmath>

#include "wire/json/json.h"

namespace offhook::json {

bool Value::is_null() const { return value_ == nullptr || value_->is_null(); }
bool Value::is_object() const { return value_ != nullptr && value_->is_object(); }
bool Value::is_array() const { return value_ != nullptr && value_->is_array(); }

std::optional<bool> Value::boolean() const {
  if (value_ == nullptr || !value_->is_bool()) return std::nullopt;
  return value_->get_bool();
}

std::optional<std::int64_t> Value::integer() const {
  // The library keeps what fits in an int64 as one; a uint64 is always out of our range.
  if (value_ == nullptr || !value_->is_int64()) return std::nullopt;
  return value_->get_int64();
}

std::optional<double> Value::number() const {
  if (value_ == nullptr) return std::nullopt;
  if (value_->is_int64()) return static_cast<double>(value_->get_int64());
  if (value_->is_uint64()) return static_cast<double>(value_->get_uint64());
  if (!value_->is_double() || !std::isfinite(value_->get_double())) return std::nullopt;
  return value_->get_double();
}

std::optional<std::string_view> Value::string() const {
  if (value_ == nullptr || !value_->is_string()) return std::nullopt;
  const boost::json::string& text = value_->get_string();
  return std::string_view(text.data(), text.size());
}

std::size_t Value::size() const {
  if (is_object()) return value_->get_object().size();
  return is_array() ? value_->get_array().size() : 0;
}

std::optional<Value> Value::find(std::string_view key) const {
  if (!is_object()) return std::nullopt;
  const boost::json::value* member = value_->get_object().if_contains({key.data(), key.size()});
  if (member == nullptr) return std::nullopt;
  return Value(member);
}

Value Value::at(std::size_t index) const {
  return is_array() && index < size() ? Value(&value_->get_array()[index]) : Value();
}

}  // namespace offhook::json
