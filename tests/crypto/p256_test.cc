#include "crypto/p256.h"

#include <gtest/gtest.h>

#include "base/hex.h"
#include "crypto/base64.h"
#include "crypto/secure_random.h"
#include "crypto/signature.h"

namespace offhook::crypto {
namespace {

Buffer bytes(std::string_view text) { return *base64url_decode(text); }

// RFC 8291 appendix A.
const Buffer kSenderScalar = bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
const Buffer kSenderPoint =
    bytes("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8");
const Buffer kReceiverScalar = bytes("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94");
const Buffer kReceiverPoint =
    bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");

TEST(P256, APrivateKeyHasThePublicKeyOfTheRfc) {
  EXPECT_TRUE(equal(P256Key::from_scalar(kSenderScalar)->public_point(), kSenderPoint));
  EXPECT_TRUE(equal(P256Key::from_scalar(kReceiverScalar)->public_point(), kReceiverPoint));
}

TEST(P256, BothSidesAgreeOnTheSecretOfTheRfc) {
  const Buffer secret = bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
  EXPECT_TRUE(equal(*P256Key::from_scalar(kSenderScalar)->agree(kReceiverPoint), secret));
  EXPECT_TRUE(equal(*P256Key::from_scalar(kReceiverScalar)->agree(kSenderPoint), secret));
}

TEST(P256, TakesNoPointThatIsNotOnTheCurve) {
  EXPECT_TRUE(is_p256_point(kReceiverPoint));
  Buffer off = kReceiverPoint;
  off.back() ^= 1U;
  Buffer compressed(kReceiverPoint.begin(), kReceiverPoint.begin() + 33);
  compressed[0] = 0x02;
  Buffer longer = kReceiverPoint;
  longer.push_back(0);
  Buffer hybrid = kReceiverPoint;
  hybrid[0] = 0x06;
  const auto key = P256Key::from_scalar(kSenderScalar);
  for (const Buffer& wrong : {off, compressed, longer, hybrid, Buffer(65, 0), Buffer{0}, Buffer{}}) {
    EXPECT_FALSE(is_p256_point(wrong)) << to_hex(wrong);
    EXPECT_FALSE(key->agree(wrong)) << to_hex(wrong);
  }
}

TEST(P256, TakesNoScalarOutsideTheOrder) {
  const std::string order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
  Buffer octets;
  for (std::size_t i = 0; i < order.size(); i += 2)
    octets.push_back(static_cast<std::uint8_t>(std::stoul(order.substr(i, 2), nullptr, 16)));
  EXPECT_FALSE(P256Key::from_scalar(octets));
  octets.back() -= 1;
  EXPECT_TRUE(P256Key::from_scalar(octets));
  EXPECT_FALSE(P256Key::from_scalar(Buffer(32, 0)));
  EXPECT_FALSE(P256Key::from_scalar(Buffer(31, 1)));
  EXPECT_FALSE(P256Key::from_scalar(Buffer(33, 1)));
}

TEST(P256, SignaturesAreGoodForTheKeyAndTheMessageAlone) {
  SecureRandom random;
  const P256Key key = P256Key::generate(random);
  const Bytes point = key.public_point();
  const auto verifier = VerificationKey::from_p256(point.subspan(1, 32), point.subspan(33));
  ASSERT_TRUE(verifier);
  // Many, for R and S that begin with zeros are padded.
  for (int i = 0; i < 600; ++i) {
    const std::string message = "message " + std::to_string(i);
    const Es256Signature signature = key.sign(as_bytes(message));
    ASSERT_TRUE(verifier->verify(as_bytes(message), signature));
    ASSERT_FALSE(verifier->verify(as_bytes(message + "."), signature));
  }
}

TEST(P256, EachKeyIsAnother) {
  SecureRandom random;
  const P256Key one = P256Key::generate(random);
  EXPECT_NE(one.public_point(), P256Key::generate(random).public_point());
  EXPECT_EQ(P256Key::from_scalar(one.scalar())->public_point(), one.public_point());
}

}  // namespace
}  // namespace offhook::crypto
