#include "crypto/aead.h"

#include <gtest/gtest.h>

#include "base/hex.h"

namespace offhook::crypto {
namespace {

Buffer from_hex(std::string_view text) {
  Buffer bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

TEST(Hkdf, GivesTheBytesOfRfc5869) {
  // Appendix A.1 to A.3.
  Buffer out(42);
  hkdf_sha256(from_hex("000102030405060708090a0b0c"), Buffer(22, 0x0b), from_hex("f0f1f2f3f4f5f6f7f8f9"),
              out);
  EXPECT_EQ(to_hex(out),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  Buffer salt;
  Buffer secret;
  Buffer info;
  for (int i = 0; i < 80; ++i) {
    secret.push_back(static_cast<std::uint8_t>(i));
    salt.push_back(static_cast<std::uint8_t>(0x60 + i));
    info.push_back(static_cast<std::uint8_t>(0xb0 + i));
  }
  out.resize(82);
  hkdf_sha256(salt, secret, info, out);
  EXPECT_EQ(
      to_hex(out),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da32"
      "75600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  out.resize(42);
  hkdf_sha256({}, Buffer(22, 0x0b), {}, out);
  EXPECT_EQ(to_hex(out),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Aes128Gcm, SealsAsNistsVectors) {
  // The GCM specification (McGrew, Viega), test cases 1 and 2, and 3 with its nonce.
  EXPECT_EQ(to_hex(aes128_gcm_seal({}, {}, {})), "58e2fccefa7e3061367f1d57a4e7455a");
  EXPECT_EQ(to_hex(aes128_gcm_seal({}, {}, Buffer(16, 0))),
            "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf");
  Aes128Key key{};
  GcmNonce nonce{};
  const Buffer key_bytes = from_hex("feffe9928665731c6d6a8f9467308308");
  const Buffer nonce_bytes = from_hex("cafebabefacedbaddecaf888");
  std::copy(key_bytes.begin(), key_bytes.end(), key.begin());
  std::copy(nonce_bytes.begin(), nonce_bytes.end(), nonce.begin());
  EXPECT_EQ(
      to_hex(aes128_gcm_seal(
          key, nonce,
          from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2"
                   "449a6b525b16aedf5aa0de657ba637b391aafd255"))),
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30"
      "b396a0aac973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4");
}

}  // namespace
}  // namespace offhook::crypto
