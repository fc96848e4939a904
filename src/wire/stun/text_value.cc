#include "wire/stun/text_value.h"

namespace offhook::stun {
namespace {

// Bytes of the UTF-8 sequence at the front of `value`, which is not empty; 0 if there is none. The ranges of
// the second byte are those of the table in RFC 3629 section 4.
std::size_t utf8_sequence(Bytes value) {
  const std::uint8_t lead = value[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t size = lead < 0xE0 ? 2U : lead < 0xF0 ? 3U : 4U;
  if (value.size() < size) return 0;
  const std::uint8_t least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (value[1] < least || value[1] > most) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((value[i] & 0xC0U) != 0x80) return 0;
  }
  return size;
}

}  // namespace

std::optional<std::size_t> utf8_characters(Bytes value) {
  std::size_t characters = 0;
  while (!value.empty()) {
    const std::size_t size = utf8_sequence(value);
    if (size == 0) return std::nullopt;
    value = value.subspan(size);
    characters += 1;
  }
  return characters;
}

std::optional<std::string_view> parse_text_value(Bytes value) {
  if (value.size() > kTextReadBytesLimit) return std::nullopt;
  const auto characters = utf8_characters(value);
  if (!characters || *characters > kTextCharactersLimit) return std::nullopt;
  return as_text(value);
}

}  // namespace offhook::stun
