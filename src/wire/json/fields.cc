#include <string>

#include "wire/json/json.h"

namespace offhook::json {

Fields::Fields(Value object) : object_(object) {
  if (!object.is_object()) problem_ = {"the value", "must be an object"};
}

std::optional<Value> Fields::member(std::string_view key) const {
  const std::optional<Value> value = object_.find(key);
  return value && !value->is_null() ? value : std::nullopt;
}

std::optional<Value> Fields::required(std::string_view key) {
  const std::optional<Value> value = member(key);
  if (!value) refuse(key, "is missing");
  return value;
}

bool Fields::has(std::string_view key) const { return member(key).has_value(); }

void Fields::refuse(std::string_view key, std::string what) {
  if (!problem_) problem_ = {std::string(key), std::move(what)};
}

std::string_view Fields::string(std::string_view key, StringLimits limits) {
  if (!required(key)) return {};
  return optional_string(key, limits).value_or(std::string_view());
}

std::int64_t Fields::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  if (!required(key)) return 0;
  return optional_integer(key, min, max).value_or(0);
}

double Fields::number(std::string_view key, double min, double max) {
  if (!required(key)) return 0;
  return optional_number(key, min, max).value_or(0);
}

bool Fields::boolean(std::string_view key) {
  if (!required(key)) return false;
  return optional_boolean(key).value_or(false);
}

Value Fields::object(std::string_view key) {
  if (!required(key)) return {};
  return optional_object(key).value_or(Value());
}

Value Fields::array(std::string_view key) {
  if (!required(key)) return {};
  return optional_array(key).value_or(Value());
}

std::optional<std::string_view> Fields::optional_string(std::string_view key, StringLimits limits) {
  const std::optional<Value> value = member(key);
  if (!value) return std::nullopt;
  const std::optional<std::string_view> text = value->string();
  if (!text) {
    refuse(key, "must be a string");
  } else if (text->size() < limits.min || text->size() > limits.max) {
    refuse(key, "must have " + std::to_string(limits.min) + " to " + std::to_string(limits.max) + " bytes");
  } else {
    return text;
  }
  return std::nullopt;
}

std::optional<std::int64_t> Fields::optional_integer(std::string_view key, std::int64_t min,
                                                     std::int64_t max) {
  const std::optional<Value> value = member(key);
  if (!value) return std::nullopt;
  const std::optional<std::int64_t> integer = value->integer();
  if (!integer || *integer < min || *integer > max) {
    refuse(key, "must be an integer from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
  }
  return integer;
}

std::optional<double> Fields::optional_number(std::string_view key, double min, double max) {
  const std::optional<Value> value = member(key);
  if (!value) return std::nullopt;
  const std::optional<double> number = value->number();
  if (!number || *number < min || *number > max) {
    refuse(key, "must be a number from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
  }
  return number;
}

std::optional<bool> Fields::optional_boolean(std::string_view key) {
  const std::optional<Value> value = member(key);
  if (!value) return std::nullopt;
  if (!value->boolean()) refuse(key, "must be true or false");
  return value->boolean();
}

std::optional<Value> Fields::optional_object(std::string_view key) {
  const std::optional<Value> value = member(key);
  if (!value) return std::nullopt;
  if (value->is_object()) return value;
  refuse(key, "must be an object");
  return std::nullopt;
}

std::optional<Value> Fields::optional_array(std::string_view key) {
  const std::optional<Value> value = member(key);
  if (!value) return std::nullopt;
  if (value->is_array()) return value;
  refuse(key, "must be an array");
  return std::nullopt;
}

}  // namespace offhook::json
