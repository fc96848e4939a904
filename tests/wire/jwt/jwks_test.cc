#include "wire/jwt/jwks.h"

#include <gtest/gtest.h>

#include "crypto/digest.h"
#include "wire/jwt/signing_key.h"

namespace offhook::jwt {
namespace {

using crypto::SignatureAlgorithm;
using offhook::testing::SigningKey;

std::string set_of(const std::string& keys) { return R"({"keys":[)" + keys + "]}"; }
const std::string kOct =
    R"({"kty":"oct","kid":"h","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";

TEST(Jwks, ReadsEachKindOfKeyAndVerifiesWithIt) {
  const SigningKey rsa = SigningKey::rsa();
  const SigningKey p256 = SigningKey::p256();
  const SigningKey ed25519 = SigningKey::ed25519();
  const auto set = parse_jwks(set_of(rsa.jwk(R"(,"kid":"r","use":"sig","alg":"RS256")") + "," +
                                     p256.jwk(R"(,"kid":"e")") + "," + ed25519.jwk() + "," + kOct));
  ASSERT_TRUE(set) << set.error();
  ASSERT_EQ(set->keys.size(), 4U);
  EXPECT_TRUE(set->ignored.empty());
  EXPECT_EQ(set->keys[0].kid, "r");
  EXPECT_EQ(set->keys[0].key.algorithm(), SignatureAlgorithm::rs256);
  EXPECT_TRUE(set->keys[0].key.verify(as_bytes("m"), rsa.sign_jws("m")));
  EXPECT_EQ(set->keys[1].key.algorithm(), SignatureAlgorithm::es256);
  EXPECT_TRUE(set->keys[1].key.verify(as_bytes("m"), p256.sign_jws("m")));
  EXPECT_EQ(set->keys[2].kid, "");
  EXPECT_EQ(set->keys[2].key.algorithm(), SignatureAlgorithm::eddsa);
  EXPECT_TRUE(set->keys[2].key.verify(as_bytes("m"), ed25519.sign_jws("m")));
  EXPECT_EQ(set->keys[3].key.algorithm(), SignatureAlgorithm::hs256);
  for (const Jwk& jwk : set->keys) EXPECT_FALSE(jwk.key.verify(as_bytes("other"), rsa.sign_jws("m")));
}

TEST(Jwks, ReadsOneKeyByItself) {
  const auto set = parse_jwks(SigningKey::ed25519().jwk(R"(,"kid":"a")"));
  ASSERT_TRUE(set) << set.error();
  EXPECT_EQ(set->keys.at(0).kid, "a");
}

TEST(Jwks, IgnoresAndNamesWhatCannotVerifyHere) {
  const std::string ignored[] = {
      SigningKey::rsa(1024).jwk(),
      SigningKey::rsa().jwk(R"(,"alg":"RS512")"),
      SigningKey::p256().jwk(R"(,"use":"enc")"),
      R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})",
      R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})",
      R"({"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"})",
      R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
      R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})",
      R"({"kty":"oct","k":"c2hvcnQ"})",
      R"({"kty":"RSA","e":"AQAB"})",
      R"({"kty":"RSA","n":"not base64","e":"AQAB"})",
      R"({"kty":"RSA","n":1,"e":"AQAB"})",
      R"({"kty":"new"})",
      R"({})",
      R"(1)",
  };
  for (const std::string& key : ignored) {
    const auto set = parse_jwks(set_of(key + "," + kOct));
    ASSERT_TRUE(set) << key << set.error();
    EXPECT_EQ(set->keys.size(), 1U) << key;
    ASSERT_EQ(set->ignored.size(), 1U) << key;
    EXPECT_TRUE(set->ignored[0].starts_with("key 1 is ignored: ")) << set->ignored[0];
  }
}

TEST(Jwks, RefusesSetsThatAreOfNoUse) {
  std::string many = kOct;
  for (int i = 0; i < 64; ++i) many += ",{}";
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string(R"({"keys":1})"), std::string(R"({"keys":[]})"),
        std::string(R"({"keys":[],"keys":[]})"), set_of(R"({"kty":"oct","k":"c2hvcnQ"})"),
        set_of(kOct + "," + kOct), set_of(many), std::string(kJwksBytesLimit + 1, ' ')}) {
    const auto set = parse_jwks(text);
    ASSERT_FALSE(set) << text.substr(0, 80);
    EXPECT_FALSE(set.error().empty());
  }
}

}  // namespace
}  // namespace offhook::jwt
