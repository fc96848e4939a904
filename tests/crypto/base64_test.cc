#include "crypto/base64.h"

#include <gtest/gtest.h>

#include <random>

namespace offhook::crypto {
namespace {

TEST(Base64, VectorsOfRfc4648) {
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(base64_encode(as_bytes(plain)), text);
    const auto decoded = base64_decode(text);
    ASSERT_TRUE(decoded.has_value()) << text;
    EXPECT_EQ(as_text(*decoded), plain);
  }
}

TEST(Base64, TheUrlAlphabetHasNoPadding) {
  const Buffer bytes = {0xFB, 0xEF, 0xFF, 0xFE};
  EXPECT_EQ(base64_encode(bytes), "++///g==");
  EXPECT_EQ(base64url_encode(bytes), "--___g");
  EXPECT_EQ(base64_decode("++///g=="), bytes);
  EXPECT_EQ(base64url_decode("--___g"), bytes);
}

TEST(Base64, StrictDecodersRefuse) {
  for (const std::string_view text :
       {"Z",    "Zg",   "Zg=",  "Zg===",    "====",     "=",         "Zm8",  "Zm8==",
        "Z===", "Zm=8", "=Zm8", "Zg==Zg==", "Zm9v\n",   " Zm9v",     "Zm 9", "Zm9*",
        "Zm9-", "Zm9_", "Zh==", "Zm9=",     "Zm9vZ===", "\xC3\xA9Zm"}) {
    EXPECT_FALSE(base64_decode(text).has_value()) << text;
  }
  EXPECT_FALSE(base64_decode(std::string_view("Zm9\0", 4)).has_value());
  for (const std::string_view text :
       {"Z", "Zg==", "Zm8=", "Zm9vZ", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm 9", "Zm9v\n"}) {
    EXPECT_FALSE(base64url_decode(text).has_value()) << text;
  }
}

TEST(Base64, EveryTextHasOneMeaningAndEveryMeaningOneText) {
  // Of all four-letter texts over a small alphabet, those that decode encode to themselves.
  constexpr std::string_view kLetters = "AQgw/=-";
  for (std::size_t index = 0; index < 7 * 7 * 7 * 7; ++index) {
    const std::string text = {kLetters[index % 7], kLetters[index / 7 % 7], kLetters[index / 49 % 7],
                              kLetters[index / 343]};
    if (const auto decoded = base64_decode(text)) {
      EXPECT_EQ(base64_encode(*decoded), text);
    }
    if (const auto decoded = base64url_decode(text)) {
      EXPECT_EQ(base64url_encode(*decoded), text);
    }
  }
}

TEST(Base64, RandomBytesRoundTrip) {
  std::mt19937 random(4648);
  for (std::size_t size = 0; size < 300; ++size) {
    Buffer bytes(size);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() & 0xFFU);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
  }
}

}  // namespace
}  // namespace offhook::crypto
