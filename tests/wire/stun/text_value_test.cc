#include "wire/stun/text_value.h"

#include <gtest/gtest.h>

namespace offhook::stun {
namespace {

TEST(Utf8, CountsCodePoints) {
  EXPECT_EQ(utf8_characters({}), 0U);
  EXPECT_EQ(utf8_characters(as_bytes("ascii")), 5U);
  EXPECT_EQ(utf8_characters(as_bytes("\xC2\x80")), 1U);          // U+0080
  EXPECT_EQ(utf8_characters(as_bytes("\xDF\xBF")), 1U);          // U+07FF
  EXPECT_EQ(utf8_characters(as_bytes("\xE0\xA0\x80")), 1U);      // U+0800
  EXPECT_EQ(utf8_characters(as_bytes("\xED\x9F\xBF")), 1U);      // U+D7FF
  EXPECT_EQ(utf8_characters(as_bytes("\xEE\x80\x80")), 1U);      // U+E000
  EXPECT_EQ(utf8_characters(as_bytes("\xF0\x90\x80\x80")), 1U);  // U+10000
  EXPECT_EQ(utf8_characters(as_bytes("\xF4\x8F\xBF\xBF")), 1U);  // U+10FFFF
}

TEST(Utf8, RefusesWhatRfc3629Excludes) {
  const std::string_view refused[] = {
      "\x80",              // a tail without its lead
      "\xC0\x80",          // overlong
      "\xC1\xBF",          // overlong
      "\xE0\x9F\xBF",      // overlong
      "\xF0\x8F\xBF\xBF",  // overlong
      "\xED\xA0\x80",      // a surrogate
      "\xF4\x90\x80\x80",  // beyond U+10FFFF
      "\xF5\x80\x80\x80",
      "\xFF",
      "\xC2",
      "\xE1\x80",
      "\xF1\x80\x80",
      "\xC2\x41",
      "\xE1\x80\x41",
      "\xF1\x80\x80\xC0",
  };
  for (const std::string_view text : refused) EXPECT_FALSE(utf8_characters(as_bytes(text)).has_value());
}

TEST(TextValue, BorrowsTheText) {
  const Buffer value = {'o', 'k'};
  const auto text = parse_text_value(value);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(static_cast<const void*>(text->data()), static_cast<const void*>(value.data()));
}

}  // namespace
}  // namespace offhook::stun
