#include "core/credentials/token_verifier.h"

#include <gtest/gtest.h>

#include "crypto/base64.h"
#include "crypto/digest.h"
#include "wire/jwt/jwks.h"
#include "wire/jwt/jwt.h"
#include "wire/jwt/signing_key.h"

namespace offhook::credentials {
namespace {

using crypto::VerificationKey;
using offhook::testing::base64url;
using offhook::testing::SigningKey;
using std::chrono::seconds;

constexpr UnixTime kNow{1'000'000};
const Secret kSecret(std::string(32, 's'));
const std::string kClaims = R"({"sub":"alice","exp":1000060})";
const TokenPolicy kStrict{std::nullopt, std::nullopt, seconds(0)};

TokenVerifier with_secret(TokenPolicy policy = kStrict) {
  return TokenVerifier({{"", *VerificationKey::symmetric(kSecret)}}, std::move(policy));
}
TokenVerifier with_pem(const SigningKey& key, std::string kid = "") {
  return TokenVerifier({{std::move(kid), *VerificationKey::from_pem(key.public_pem())}}, kStrict);
}
std::string hs256(std::string_view header, std::string_view claims,
                  const std::string& secret = kSecret.reveal()) {
  const std::string input = base64url(header) + "." + base64url(claims);
  return input + "." + crypto::base64url_encode(crypto::hmac_sha256(as_bytes(secret), as_bytes(input)));
}
std::string hs256(std::string_view claims) { return hs256(R"({"alg":"HS256","typ":"JWT"})", claims); }

// "ok", or the text of the error.
std::string verdict(const TokenVerifier& verifier, std::string_view token, UnixTime now = kNow) {
  const auto verified = verifier.verify(token, now);
  return verified ? "ok" : text(verified.error());
}
TokenError error_of(const TokenVerifier& verifier, std::string_view token) {
  const auto verified = verifier.verify(token, kNow);
  EXPECT_FALSE(verified) << token;
  return verified ? TokenError{} : verified.error();
}

TEST(TokenVerifier, TakesWhatItMints) {
  const std::string token = mint_token(kSecret, "J\xC3\xB6rg \"x\"", seconds(60), kNow);
  const auto verified = with_secret().verify(token, kNow);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->user, "J\xC3\xB6rg \"x\"");
  EXPECT_EQ(verified->expiry, UnixTime{1'000'060});
}

TEST(TokenVerifier, ReadsTheWarmPathOfTheUser) {
  const auto claims = [](const std::string& more) {
    return hs256(R"({"sub":"alice","exp":1000060)" + more + "}");
  };
  EXPECT_FALSE(with_secret().verify(claims(""), kNow)->warm_path);
  for (const WarmPath warm_path : kWarmPaths) {
    const auto token = claims(R"(,"warm_path":")" + std::string(name(warm_path)) + "\"");
    const auto verified = with_secret().verify(token, kNow);
    ASSERT_TRUE(verified);
    EXPECT_EQ(verified->warm_path, warm_path);
  }
  EXPECT_EQ(verdict(with_secret(), claims(R"(,"warm_path":"warm")")),
            "token_invalid: the claim warm_path must be direct, relay or off");
  EXPECT_EQ(error_of(with_secret(), claims(R"(,"warm_path":"")")), TokenError::bad_warm_path);
  EXPECT_EQ(error_of(with_secret(), claims(R"(,"warm_path":1)")), TokenError::bad_claims);
}

TEST(TokenVerifier, TakesTokensOfEachKindOfKey) {
  const SigningKey keys[] = {SigningKey::rsa(), SigningKey::p256(), SigningKey::ed25519()};
  for (const SigningKey& key : keys) {
    const std::string token = key.token(R"({"sub":"alice","exp":1000060,"name":"Alice A."})");
    const auto verified = with_pem(key).verify(token, kNow);
    ASSERT_TRUE(verified) << text(verified.error());
    EXPECT_EQ(verified->user, "alice");
    EXPECT_EQ(verified->name, "Alice A.");
    const auto set = jwt::parse_jwks(key.jwk());
    ASSERT_TRUE(set);
    EXPECT_EQ(verdict(TokenVerifier({{"", set->keys[0].key}}, kStrict), token), "ok");
    std::string changed = token;
    changed[changed.find('.') + 5] ^= 1;
    EXPECT_FALSE(with_pem(key).verify(changed, kNow));
  }
}

TEST(TokenVerifier, RefusesNone) {
  const std::string claims = base64url(kClaims);
  for (const char* alg : {"none", "None", "NONE", "nOnE", ""}) {
    const std::string unsigned_token =
        base64url(std::string(R"({"alg":")") + alg + "\"}") + "." + claims + ".";
    EXPECT_FALSE(with_secret().verify(unsigned_token, kNow)) << alg;
    EXPECT_FALSE(with_pem(SigningKey::p256()).verify(unsigned_token, kNow)) << alg;
  }
  EXPECT_EQ(error_of(with_secret(), base64url(R"({"alg":"none"})") + "." + claims + "."),
            TokenError::wrong_algorithm);
}

TEST(TokenVerifier, RefusesAPublicKeyUsedAsSharedSecret) {
  const SigningKey rsa = SigningKey::rsa();
  const std::string token = hs256(R"({"alg":"HS256"})", kClaims, rsa.public_pem());
  EXPECT_EQ(error_of(with_pem(rsa), token), TokenError::wrong_algorithm);
  EXPECT_EQ(error_of(with_pem(rsa), hs256(R"({"alg":"RS256"})", kClaims, rsa.public_pem())),
            TokenError::bad_signature);
  EXPECT_EQ(error_of(with_secret(), rsa.token(kClaims)), TokenError::wrong_algorithm);
}

TEST(TokenVerifier, RefusesAnEcdsaSignatureInDer) {
  const SigningKey key = SigningKey::p256();
  const std::string input = base64url(R"({"alg":"ES256"})") + "." + base64url(kClaims);
  EXPECT_EQ(error_of(with_pem(key), input + "." + crypto::base64url_encode(key.sign(input))),
            TokenError::bad_signature);
  EXPECT_EQ(verdict(with_pem(key), input + "." + crypto::base64url_encode(key.sign_jws(input))), "ok");
  EXPECT_EQ(error_of(with_pem(key), input + "." + crypto::base64url_encode(Buffer(64))),
            TokenError::bad_signature)
      << "R = S = 0";
}

TEST(TokenVerifier, RefusesOtherAlgorithmsOfTheSameFamily) {
  for (const char* alg : {"HS384", "HS512", "hs256", "RS512", "PS256", "ES384"}) {
    EXPECT_EQ(error_of(with_secret(), hs256(std::string(R"({"alg":")") + alg + "\"}", kClaims)),
              TokenError::wrong_algorithm);
  }
}

TEST(TokenVerifier, AKidOnlyLooksUp) {
  const SigningKey a = SigningKey::p256();
  const SigningKey b = SigningKey::p256();
  const TokenVerifier both(
      {{"a", *VerificationKey::from_pem(a.public_pem())}, {"b", *VerificationKey::from_pem(b.public_pem())}},
      kStrict);
  EXPECT_EQ(verdict(both, a.token(kClaims, R"(,"kid":"a")")), "ok");
  EXPECT_EQ(verdict(both, b.token(kClaims, R"(,"kid":"b")")), "ok");
  EXPECT_EQ(verdict(both, b.token(kClaims)), "ok") << "without a kid every key is tried";
  EXPECT_EQ(error_of(both, a.token(kClaims, R"(,"kid":"b")")), TokenError::bad_signature);
  EXPECT_EQ(error_of(both, a.token(kClaims, R"(,"kid":"c")")), TokenError::unknown_key);
  EXPECT_EQ(error_of(both, a.token(kClaims, R"(,"kid":"../../etc/passwd")")), TokenError::unknown_key);
  EXPECT_EQ(verdict(with_pem(a), a.token(kClaims, R"(,"kid":"any")")), "ok")
      << "a key without a name is tried for any kid";
  EXPECT_EQ(error_of(TokenVerifier({}, kStrict), a.token(kClaims)), TokenError::unknown_key);
}

TEST(TokenVerifier, ANamedKeyOfAnotherKindDoesNotHideTheRightOne) {
  const SigningKey a = SigningKey::ed25519();
  const TokenVerifier both(
      {{"", *VerificationKey::symmetric(kSecret)}, {"", *VerificationKey::from_pem(a.public_pem())}},
      kStrict);
  EXPECT_EQ(verdict(both, a.token(kClaims)), "ok");
  EXPECT_EQ(verdict(both, hs256(kClaims)), "ok");
}

TEST(TokenVerifier, IgnoresKeysThatTheTokenBrings) {
  const SigningKey mallory = SigningKey::p256();
  const std::string token =
      mallory.token(kClaims, ",\"jwk\":" + mallory.jwk() + R"(,"jku":"https://evil.example/")");
  EXPECT_EQ(error_of(with_pem(SigningKey::p256()), token), TokenError::bad_signature);
}

TEST(TokenVerifier, ExpiresAtTheSecond) {
  const std::string token = hs256(R"({"sub":"alice","exp":2000})");
  EXPECT_EQ(verdict(with_secret(), token, UnixTime{1999}), "ok");
  EXPECT_EQ(verdict(with_secret(), token, UnixTime{2000}), "token_expired: the token's time (exp) is over");
  EXPECT_EQ(verdict(with_secret(), token, UnixTime{2001}), "token_expired: the token's time (exp) is over");
  const TokenVerifier lenient = with_secret({std::nullopt, std::nullopt, seconds(30)});
  EXPECT_EQ(verdict(lenient, token, UnixTime{2029}), "ok");
  EXPECT_TRUE(verdict(lenient, token, UnixTime{2030}).starts_with("token_expired"));
}

TEST(TokenVerifier, StartsAtTheSecond) {
  const std::string token = hs256(R"({"sub":"alice","nbf":1000,"exp":2000})");
  EXPECT_TRUE(
      verdict(with_secret(), token, UnixTime{999}).starts_with("token_invalid: the token's time (nbf)"));
  EXPECT_EQ(verdict(with_secret(), token, UnixTime{1000}), "ok");
  EXPECT_EQ(verdict(with_secret({std::nullopt, std::nullopt, seconds(30)}), token, UnixTime{970}), "ok");
}

TEST(TokenVerifier, RequiresExpiry) {
  EXPECT_EQ(verdict(with_secret(), hs256(R"({"sub":"alice"})")), "token_invalid: the claim exp is missing");
  EXPECT_EQ(verdict(with_secret(), hs256(R"({"sub":"alice","exp":null})")),
            "token_invalid: the claim exp is missing");
}

TEST(TokenVerifier, PinsIssuerAndAudience) {
  const TokenVerifier pinned = with_secret({"me", "calls", seconds(0)});
  const auto with = [](const std::string& more) {
    return hs256(R"({"sub":"alice","exp":1000060)" + more + "}");
  };
  EXPECT_EQ(verdict(pinned, with(R"(,"iss":"me","aud":"calls")")), "ok");
  EXPECT_EQ(verdict(pinned, with(R"(,"iss":"me","aud":["mail","calls"])")), "ok");
  EXPECT_EQ(error_of(pinned, with(R"(,"iss":"you","aud":"calls")")), TokenError::wrong_issuer);
  EXPECT_EQ(error_of(pinned, with(R"(,"aud":"calls")")), TokenError::wrong_issuer);
  EXPECT_EQ(error_of(pinned, with(R"(,"iss":"me","aud":"mail")")), TokenError::wrong_audience);
  EXPECT_EQ(error_of(pinned, with(R"(,"iss":"me","aud":"CALLS")")), TokenError::wrong_audience);
  EXPECT_EQ(error_of(pinned, with(R"(,"iss":"me","aud":[])")), TokenError::wrong_audience);
  EXPECT_EQ(error_of(pinned, with(R"(,"iss":"me")")), TokenError::wrong_audience);
}

TEST(TokenVerifier, RefusesDuplicateMembers) {
  EXPECT_EQ(error_of(with_secret(), hs256(R"({"sub":"alice","sub":"root","exp":1000060})")),
            TokenError::bad_claims);
  EXPECT_EQ(error_of(with_secret(), hs256(R"({"alg":"HS256","alg":"none"})", kClaims)),
            TokenError::malformed);
}

TEST(TokenVerifier, RefusesSubjectsThatAreNoNames) {
  const auto with = [](const std::string& sub) { return hs256(R"({"sub":")" + sub + R"(","exp":1000060})"); };
  for (const std::string& bad :
       {std::string(), std::string(129, 'a'), std::string("a\\nb"), std::string("a\\u0000b"),
        std::string("a\\u001b[1m"), std::string("a\\u007f"), std::string("a\\u0085"),
        std::string("a\\u2028b")}) {
    EXPECT_EQ(error_of(with_secret(), with(bad)), TokenError::bad_subject) << bad;
  }
  EXPECT_EQ(error_of(with_secret(), hs256(R"({"exp":1000060})")), TokenError::bad_subject);
  EXPECT_EQ(verdict(with_secret(), with(std::string(128, 'a'))), "ok");
  EXPECT_EQ(verdict(with_secret(), with("\\ud83d\\ude00 a:b %n")), "ok");
}

TEST(TokenVerifier, NamesOtherFaults) {
  EXPECT_EQ(error_of(with_secret(), "x"), TokenError::malformed);
  EXPECT_EQ(error_of(with_secret(), std::string(9000, 'x')), TokenError::too_long);
  EXPECT_EQ(error_of(with_secret(), hs256(R"({"alg":"HS256","crit":["x"]})", kClaims)),
            TokenError::critical_header);
  EXPECT_EQ(error_of(with_secret(), mint_token(Secret(std::string(32, 'x')), "alice", seconds(60), kNow)),
            TokenError::bad_signature);
}

TEST(TokenError, EveryTextFitsACloseFrame) {
  for (int i = 0; i <= static_cast<int>(TokenError::bad_warm_path); ++i) {
    const std::string sentence = text(static_cast<TokenError>(i));
    EXPECT_LE(sentence.size(), 123U) << sentence;
    EXPECT_TRUE(sentence.starts_with("token_invalid: ") || sentence.starts_with("token_expired: ") ||
                sentence.starts_with("token_revoked: "));
  }
}

TEST(ValidUser, KnowsUtf8) {
  for (const char* good : {"a", "J\xC3\xB6rg", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(valid_user(good));
  for (const char* bad : {"", "\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                          "\xF4\x90\x80\x80", "\xFF", "\xC2\x85", "\xE2\x80\xA9", "\x7F", "\t"}) {
    EXPECT_FALSE(valid_user(bad)) << bad;
  }
}

TEST(BearerToken, ReadsTheHeader) {
  EXPECT_EQ(bearer_token("Bearer abc"), "abc");
  EXPECT_EQ(bearer_token("bearer  abc"), "abc");
  for (const char* other : {"", "Bearer", "Bearer ", "Basic abc", "Bearerabc"})
    EXPECT_FALSE(bearer_token(other)) << other;
}

}  // namespace
}  // namespace offhook::credentials
