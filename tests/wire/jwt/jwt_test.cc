#include "wire/jwt/jwt.h"

#include <gtest/gtest.h>

#include "crypto/base64.h"
#include "crypto/signature.h"
#include "wire/jwt/signing_key.h"

namespace offhook::jwt {
namespace {

using offhook::testing::base64url;

std::string compact(std::string_view header, std::string_view claims = "{}") {
  return base64url(header) + "." + base64url(claims) + ".c2ln";
}
ParseError error_of(std::string_view text) {
  const auto token = parse(text);
  EXPECT_FALSE(token) << text;
  return token ? ParseError::too_long : token.error();
}
Result<Claims, ParseError> claims_of(std::string_view text) { return parse_claims(as_bytes(text)); }

// RFC 7515 appendix A.1
constexpr std::string_view kRfc7515Hs256 =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr std::string_view kRfc7515Key =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
// RFC 8037 appendix A.4 (its payload is a sentence, no claims) and the key of A.2
constexpr std::string_view kRfc8037EdDsa =
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
constexpr std::string_view kRfc8037Key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

TEST(Jwt, ReadsTheExampleOfRfc7515) {
  const auto token = parse(kRfc7515Hs256);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->header.alg, "HS256");
  EXPECT_EQ(token->header.typ, "JWT");
  EXPECT_EQ(token->header.kid, "");
  const auto key =
      crypto::VerificationKey::symmetric(Secret(to_string(*crypto::base64url_decode(kRfc7515Key))));
  EXPECT_TRUE(key->verify(as_bytes(token->signing_input), token->signature));
  const auto claims = parse_claims(token->payload);
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->iss, "joe");
  EXPECT_EQ(claims->exp, 1300819380);
  EXPECT_EQ(claims->sub, std::nullopt);
}

TEST(Jwt, ReadsTheExampleOfRfc8037) {
  const auto token = parse(kRfc8037EdDsa);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->header.alg, "EdDSA");
  const auto key = crypto::VerificationKey::from_ed25519(*crypto::base64url_decode(kRfc8037Key));
  EXPECT_TRUE(key->verify(as_bytes(token->signing_input), token->signature));
  Buffer changed = token->signature;
  changed[0] ^= 1U;
  EXPECT_FALSE(key->verify(as_bytes(token->signing_input), changed));
  EXPECT_EQ(parse_claims(token->payload).error(), ParseError::bad_claims);
}

TEST(Jwt, RefusesWhatIsNotThreePartsOfBase64url) {
  EXPECT_EQ(error_of(""), ParseError::not_three_parts);
  EXPECT_EQ(error_of("e30"), ParseError::not_three_parts);
  EXPECT_EQ(error_of("e30.e30"), ParseError::not_three_parts);
  EXPECT_EQ(error_of("e30.e30.e30.e30"), ParseError::not_three_parts);
  EXPECT_EQ(error_of("e30.e30.e30.e30.e30"), ParseError::not_three_parts) << "that would be encryption (JWE)";
  EXPECT_EQ(error_of("e30=.e30.e30"), ParseError::bad_base64url);
  EXPECT_EQ(error_of("e30.e30 .e30"), ParseError::bad_base64url);
  EXPECT_EQ(error_of("e30.e30.e31"), ParseError::bad_base64url) << "stray bits";
  EXPECT_EQ(error_of("e+0.e30.e30"), ParseError::bad_base64url);
  EXPECT_EQ(error_of(std::string(kTokenBytesLimit + 1, 'a')), ParseError::too_long);
}

TEST(Jwt, RefusesHeadersThatLie) {
  EXPECT_EQ(error_of(compact("nonsense")), ParseError::bad_header);
  EXPECT_EQ(error_of(compact("[]")), ParseError::bad_header);
  EXPECT_EQ(error_of(compact("{}")), ParseError::bad_header);
  EXPECT_EQ(error_of(compact(R"({"alg":1})")), ParseError::bad_header);
  EXPECT_EQ(error_of(compact(R"({"alg":null})")), ParseError::bad_header);
  EXPECT_EQ(error_of(compact(R"({"alg":"HS256","kid":[]})")), ParseError::bad_header);
  EXPECT_EQ(error_of(compact(R"({"alg":"RS256","alg":"HS256"})")), ParseError::bad_header);
  EXPECT_EQ(error_of(compact(R"({"alg":"RS256","\u0061lg":"HS256"})")), ParseError::bad_header);
  EXPECT_EQ(error_of(compact(R"({"alg":"HS256","crit":["exp"],"exp":1})")), ParseError::critical_header);
  EXPECT_EQ(error_of(compact(R"({"alg":"HS256","crit":null})")), ParseError::critical_header);
  EXPECT_EQ(error_of(compact(R"({"alg":"HS256","b64":false})")), ParseError::critical_header);
}

TEST(Jwt, ReadsClaims) {
  const auto claims = claims_of(
      R"({"sub":"J\u00f6rg","exp":2000.9,"nbf":1000,"iat":999,"iss":"a","aud":["x","y"],"name":"J","more":{"a":[1]}})");
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->sub, "J\xC3\xB6rg");
  EXPECT_EQ(claims->exp, 2000);
  EXPECT_EQ(claims->nbf, 1000);
  EXPECT_EQ(claims->iat, 999);
  EXPECT_EQ(claims->iss, "a");
  EXPECT_EQ(claims->aud, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(claims->name, "J");
  EXPECT_EQ(claims_of(R"({"aud":"x"})")->aud, (std::vector<std::string>{"x"}));
}

TEST(Jwt, RefusesClaimsOfTheWrongType) {
  for (const char* text :
       {"", "[]", "{", R"({"sub":1})", R"({"exp":"2000"})", R"({"exp":-1})", R"({"exp":1e300})",
        R"({"nbf":[]})", R"({"iat":true})", R"({"iss":{}})", R"({"aud":1})", R"({"aud":["x",1]})",
        R"({"name":1})", R"({"sub":"a","sub":"b"})", R"({"exp":1,"exp":2})", "{\"sub\":\"\xFF\"}"}) {
    const auto claims = claims_of(text);
    ASSERT_FALSE(claims) << text;
    EXPECT_EQ(claims.error(), ParseError::bad_claims);
  }
}

TEST(Jwt, ReadsWhatItWrites) {
  Claims claims;
  claims.sub = "a\"b";
  claims.exp = 2000;
  claims.nbf = 1;
  claims.iat = 2;
  claims.iss = "i";
  claims.aud = {"x", "y"};
  claims.name = "N";
  claims.warm_path = "off";
  const Secret secret(std::string(32, 's'));
  const std::string text = encode_hs256(secret, claims);
  const auto token = parse(text);
  ASSERT_TRUE(token);
  EXPECT_TRUE(
      crypto::VerificationKey::symmetric(secret)->verify(as_bytes(token->signing_input), token->signature));
  const auto read = parse_claims(token->payload);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->sub, claims.sub);
  EXPECT_EQ(read->exp, claims.exp);
  EXPECT_EQ(read->nbf, claims.nbf);
  EXPECT_EQ(read->iat, claims.iat);
  EXPECT_EQ(read->iss, claims.iss);
  EXPECT_EQ(read->aud, claims.aud);
  EXPECT_EQ(read->name, claims.name);
  EXPECT_EQ(read->warm_path, claims.warm_path);
}

}  // namespace
}  // namespace offhook::jwt
