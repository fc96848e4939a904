#include "crypto/signature.h"

#include <gtest/gtest.h>

#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/signing_key.h"

namespace offhook::crypto {
namespace {

const Bytes kMessage = as_bytes("header.payload");

// Takes the signature, and refuses every flipped byte, every other length and every other message.
void expect_verifies_this_alone(const VerificationKey& key, const Buffer& signature) {
  EXPECT_TRUE(key.verify(kMessage, signature));
  EXPECT_FALSE(key.verify(as_bytes("header.payloae"), signature));
  EXPECT_FALSE(key.verify({}, signature));
  for (std::size_t at = 0; at < signature.size(); ++at) {
    Buffer flipped = signature;
    flipped[at] ^= 1U;
    EXPECT_FALSE(key.verify(kMessage, flipped)) << at;
  }
  EXPECT_FALSE(key.verify(kMessage, {}));
  EXPECT_FALSE(key.verify(kMessage, Bytes(signature).first(signature.size() - 1)));
  Buffer longer = signature;
  longer.push_back(0);
  EXPECT_FALSE(key.verify(kMessage, longer));
  EXPECT_FALSE(key.verify(kMessage, Buffer(signature.size())));
}

VerificationKey from_pem(const SigningKey& key) {
  return VerificationKey::from_pem(key.public_pem()).value();
}

TEST(Signature, NamesAreThoseOfJwa) {
  for (const std::string_view text : {"HS256", "RS256", "ES256", "EdDSA"}) {
    const auto algorithm = signature_algorithm(text);
    ASSERT_TRUE(algorithm.has_value());
    EXPECT_EQ(name(*algorithm), text);
  }
  for (const std::string_view text :
       {"", "none", "None", "hs256", "HS384", "RS512", "PS256", "ES384", "HS256 "}) {
    EXPECT_FALSE(signature_algorithm(text).has_value()) << text;
  }
}

TEST(Signature, Hs256Verifies) {
  const Secret secret(std::string(32, 's'));
  const auto key = VerificationKey::symmetric(secret);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->algorithm(), SignatureAlgorithm::hs256);
  const auto mac = hmac_sha256(as_bytes(secret.reveal()), kMessage);
  expect_verifies_this_alone(*key, Buffer(mac.begin(), mac.end()));
}

TEST(Signature, Hs256NeedsThirtyTwoBytes) {
  EXPECT_EQ(VerificationKey::symmetric(Secret(std::string(31, 's'))).error(), KeyError::too_weak);
  EXPECT_EQ(VerificationKey::symmetric(Secret()).error(), KeyError::too_weak);
}

TEST(Signature, Hs256VectorOfRfc7515) {
  const auto secret = base64url_decode(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const auto signature = base64url_decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
  ASSERT_TRUE(secret && signature);
  const auto key = VerificationKey::symmetric(Secret(to_string(*secret)));
  ASSERT_TRUE(key.has_value());
  EXPECT_TRUE(key->verify(as_bytes("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
                                   "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                                   "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"),
                          *signature));
}

TEST(Signature, Rs256VerifiesFromPemAndFromItsNumbers) {
  const SigningKey signer = SigningKey::rsa(2048);
  const Buffer signature = signer.sign(kMessage, EVP_sha256());
  const VerificationKey key = from_pem(signer);
  EXPECT_EQ(key.algorithm(), SignatureAlgorithm::rs256);
  expect_verifies_this_alone(key, signature);
  const auto numbers = VerificationKey::from_rsa(signer.number(OSSL_PKEY_PARAM_RSA_N, 256),
                                                 signer.number(OSSL_PKEY_PARAM_RSA_E, 3));
  ASSERT_TRUE(numbers.has_value());
  EXPECT_EQ(numbers->algorithm(), SignatureAlgorithm::rs256);
  EXPECT_TRUE(numbers->verify(kMessage, signature));
  EXPECT_FALSE(numbers->verify(kMessage, signer.sign(kMessage, EVP_sha512())));
}

TEST(Signature, Rs256NeedsTwoThousandFortyEightBits) {
  const SigningKey weak = SigningKey::rsa(1024);
  EXPECT_EQ(VerificationKey::from_pem(weak.public_pem()).error(), KeyError::too_weak);
  EXPECT_EQ(VerificationKey::from_rsa(weak.number(OSSL_PKEY_PARAM_RSA_N, 128), Buffer{1, 0, 1}).error(),
            KeyError::too_weak);
}

TEST(Signature, Es256VerifiesTheRawFormAndNotTheDerForm) {
  const SigningKey signer = SigningKey::ec("P-256");
  const Buffer signature = signer.sign_es256(kMessage);
  const VerificationKey key = from_pem(signer);
  EXPECT_EQ(key.algorithm(), SignatureAlgorithm::es256);
  expect_verifies_this_alone(key, signature);
  EXPECT_FALSE(key.verify(kMessage, signer.sign(kMessage, EVP_sha256())));
  const auto numbers = VerificationKey::from_p256(signer.number(OSSL_PKEY_PARAM_EC_PUB_X, 32),
                                                  signer.number(OSSL_PKEY_PARAM_EC_PUB_Y, 32));
  ASSERT_TRUE(numbers.has_value());
  EXPECT_TRUE(numbers->verify(kMessage, signature));
}

TEST(Signature, Es256RefusesPointsOffTheCurve) {
  const SigningKey signer = SigningKey::ec("P-256");
  const Buffer x = signer.number(OSSL_PKEY_PARAM_EC_PUB_X, 32);
  Buffer y = signer.number(OSSL_PKEY_PARAM_EC_PUB_Y, 32);
  y[31] ^= 1U;
  EXPECT_EQ(VerificationKey::from_p256(x, y).error(), KeyError::unreadable);
  EXPECT_EQ(VerificationKey::from_p256(x, Bytes(y).first(31)).error(), KeyError::unreadable);
  EXPECT_EQ(VerificationKey::from_p256({}, {}).error(), KeyError::unreadable);
}

TEST(Signature, EdDsaVerifiesFromPemAndFromItsBytes) {
  const SigningKey signer = SigningKey::ed25519();
  const Buffer signature = signer.sign(kMessage, nullptr);
  const VerificationKey key = from_pem(signer);
  EXPECT_EQ(key.algorithm(), SignatureAlgorithm::eddsa);
  expect_verifies_this_alone(key, signature);
  const auto raw = VerificationKey::from_ed25519(signer.raw_public());
  ASSERT_TRUE(raw.has_value());
  EXPECT_TRUE(raw->verify(kMessage, signature));
  EXPECT_EQ(VerificationKey::from_ed25519(Buffer(31)).error(), KeyError::unreadable);
}

TEST(Signature, OtherKindsAreRefused) {
  EXPECT_EQ(VerificationKey::from_pem(SigningKey::ec("P-384").public_pem()).error(), KeyError::wrong_kind);
  EXPECT_EQ(VerificationKey::from_pem(SigningKey::ec("secp256k1").public_pem()).error(),
            KeyError::wrong_kind);
  EXPECT_EQ(VerificationKey::from_pem(SigningKey::ed448().public_pem()).error(), KeyError::wrong_kind);
}

TEST(Signature, WhatIsNoKeyIsUnreadable) {
  for (const std::string_view text :
       {"", "key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}) {
    EXPECT_EQ(VerificationKey::from_pem(text).error(), KeyError::unreadable) << text;
  }
  EXPECT_FALSE(VerificationKey::from_rsa({}, {}).has_value());
  // An exponent of 0 or 1, however long it is written, would let anybody sign.
  const Buffer modulus(256, 0xFF);
  for (const Buffer& exponent : {Buffer{}, Buffer{0}, Buffer{1}, Buffer{0, 0, 1}}) {
    EXPECT_EQ(VerificationKey::from_rsa(modulus, exponent).error(), KeyError::too_weak);
  }
}

TEST(Signature, AKeyNeverVerifiesAnotherKindsSignature) {
  const SigningKey rsa = SigningKey::rsa(2048);
  const std::string pem = rsa.public_pem();
  // The classic confusion: the public key's text taken for an HMAC secret.
  const auto mac = hmac_sha256(as_bytes(pem), kMessage);
  EXPECT_FALSE(from_pem(rsa).verify(kMessage, mac));
  EXPECT_FALSE(
      from_pem(SigningKey::ed25519()).verify(kMessage, SigningKey::ed25519().sign(kMessage, nullptr)));
  EXPECT_FALSE(
      from_pem(SigningKey::ec("P-256")).verify(kMessage, SigningKey::ec("P-256").sign_es256(kMessage)));
}

TEST(Signature, ACertificateGivesItsKey) {
  const SigningKey signer = SigningKey::ec("P-256");
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  ASSERT_EQ(X509_set_pubkey(certificate.get(), signer.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  ASSERT_GT(X509_sign(certificate.get(), signer.get(), EVP_sha256()), 0);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  ASSERT_EQ(PEM_write_bio_X509(bio.get(), certificate.get()), 1);
  char* at = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio.get(), &at));
  const auto key = VerificationKey::from_pem(std::string_view(at, size));
  ASSERT_TRUE(key.has_value());
  EXPECT_TRUE(key->verify(kMessage, signer.sign_es256(kMessage)));
}

}  // namespace
}  // namespace offhook::crypto
