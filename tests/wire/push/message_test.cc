#include "wire/push/message.h"

#include <gtest/gtest.h>

#include "crypto/base64.h"

namespace offhook::push {
namespace {

Buffer bytes(std::string_view text) { return *crypto::base64url_decode(text); }

template <typename Array>
Array array_of(std::string_view text) {
  const Buffer decoded = bytes(text);
  Array array{};
  EXPECT_EQ(decoded.size(), array.size());
  std::copy(decoded.begin(), decoded.end(), array.begin());
  return array;
}

// RFC 8291 section 5 and appendix A.
TEST(PushMessage, IsTheExampleOfTheRfc) {
  Recipient recipient;
  recipient.point = array_of<crypto::P256Point>(
      "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
  recipient.auth = array_of<AuthSecret>("BTBZMqHH6r4Tts7J_aSIgg");
  const auto sender = crypto::P256Key::from_scalar(bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"));
  const Buffer body = encrypt(as_bytes("When I grow up, I want to be a watermelon"), recipient, *sender,
                              array_of<Salt>("DGv6ra1nlYgDCS1FRnbzlw"));
  EXPECT_EQ(
      crypto::base64url_encode(body),
      "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
      "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN");
}

TEST(PushMessage, TheLongestTextFillsTheBodyThatPushServicesTake) {
  Recipient recipient;
  recipient.point = array_of<crypto::P256Point>(
      "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
  const auto sender = crypto::P256Key::from_scalar(bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"));
  EXPECT_EQ(encrypt(Buffer(kMaxText, 'x'), recipient, *sender, {}).size(), 4096U);
}

}  // namespace
}  // namespace offhook::push
