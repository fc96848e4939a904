#include "wire/stun/attr_password_algorithms.h"

#include <array>
#include <cassert>

namespace offhook::stun {
namespace {

// What one attribute may hold of ours: sixteen elements whose parameters are short.
constexpr std::size_t kListBytesLimit = 512;

std::size_t padding_after(std::size_t bytes) { return (4 - bytes % 4) % 4; }

std::optional<PasswordAlgorithm> read_element(Reader& reader) {
  const std::uint16_t algorithm = reader.u16();
  const Bytes parameters = reader.take(reader.u16());
  if (!reader.ok()) return std::nullopt;
  const std::size_t padding = padding_after(parameters.size());
  // The attribute's own padding may stand in for that of the last element.
  reader.skip(padding < reader.remaining() ? padding : reader.remaining());
  return PasswordAlgorithm{algorithm, parameters};
}

void write_element(Writer& writer, const PasswordAlgorithm& element) {
  assert(element.parameters.size() <= kListBytesLimit);
  writer.u16(element.algorithm);
  writer.u16(static_cast<std::uint16_t>(element.parameters.size()));
  writer.bytes(element.parameters);
  writer.zeros(padding_after(element.parameters.size()));
}

}  // namespace

std::optional<PasswordAlgorithm> parse_password_algorithm(Bytes value) {
  Reader reader(value);
  const auto element = read_element(reader);
  if (!element || !reader.at_end()) return std::nullopt;
  return element;
}

void add_password_algorithm(MessageBuilder& builder, const PasswordAlgorithm& algorithm) {
  std::array<std::uint8_t, kListBytesLimit> value{};
  Writer writer(value);
  write_element(writer, algorithm);
  assert(writer.ok());
  builder.add(AttributeType::password_algorithm, writer.written());
}

std::optional<std::vector<PasswordAlgorithm>> parse_password_algorithms(Bytes value) {
  if (value.empty()) return std::nullopt;
  std::vector<PasswordAlgorithm> algorithms;
  Reader reader(value);
  while (!reader.at_end()) {
    const auto element = read_element(reader);
    if (!element || algorithms.size() == kPasswordAlgorithmsLimit) return std::nullopt;
    algorithms.push_back(*element);
  }
  return algorithms;
}

void add_password_algorithms(MessageBuilder& builder, std::span<const PasswordAlgorithm> algorithms) {
  assert(!algorithms.empty() && algorithms.size() <= kPasswordAlgorithmsLimit);
  std::array<std::uint8_t, kListBytesLimit> value{};
  Writer writer(value);
  for (const PasswordAlgorithm& algorithm : algorithms) write_element(writer, algorithm);
  assert(writer.ok());
  builder.add(AttributeType::password_algorithms, writer.written());
}

}  // namespace offhook::stun
