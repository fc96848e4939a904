#include "core/credentials/revocations.h"

#include <gtest/gtest.h>

#include "core/credentials/token_verifier.h"
#include "core/credentials/turn_credentials.h"
#include "wire/jwt/jwt.h"

namespace offhook::credentials {
namespace {

using std::chrono::seconds;

constexpr UnixTime kNow{1'800'000'000};
const Secret kSecret(std::string(32, 's'));

std::string token(std::string_view user, std::optional<std::int64_t> issued_s) {
  jwt::Claims claims;
  claims.sub = std::string(user);
  claims.exp = kNow.seconds + 3600;
  claims.iat = issued_s;
  return jwt::encode_hs256(kSecret, claims);
}

TEST(Revocations, CoverWhatWasIssuedUntilThenAndNothingOfOthers) {
  Revocations revocations;
  ASSERT_TRUE(revocations.add("bob", kNow));
  EXPECT_TRUE(revocations.covers("bob", kNow.seconds - 1));
  EXPECT_TRUE(revocations.covers("bob", kNow.seconds)) << "in the same second: perhaps before";
  EXPECT_FALSE(revocations.covers("bob", kNow.seconds + 1));
  EXPECT_TRUE(revocations.covers("bob", std::nullopt)) << "it does not say when";
  EXPECT_FALSE(revocations.covers("carol", std::nullopt));
  ASSERT_TRUE(revocations.add("bob", kNow + seconds(10)));
  EXPECT_TRUE(revocations.covers("bob", kNow.seconds + 10)) << "again";
}

TEST(Revocations, AVerifierThatConsultsThemRefusesSuchTokens) {
  Revocations revocations;
  TokenVerifier verifier({{"", *crypto::VerificationKey::symmetric(kSecret)}}, {});
  verifier.consult(revocations);
  EXPECT_TRUE(verifier.verify(token("bob", kNow.seconds - 60), kNow));
  ASSERT_TRUE(revocations.add("bob", kNow));
  const auto old = verifier.verify(token("bob", kNow.seconds - 60), kNow);
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error(), TokenError::revoked);
  EXPECT_EQ(code(old.error()), "token_revoked");
  EXPECT_LE(text(old.error()).size(), 123U) << "it fits a close frame";
  EXPECT_EQ(verifier.verify(token("bob", std::nullopt), kNow).error(), TokenError::revoked);
  EXPECT_TRUE(verifier.verify(token("bob", kNow.seconds + 1), kNow));
  EXPECT_TRUE(verifier.verify(token("carol", std::nullopt), kNow));
}

TEST(Revocations, RelayCredentialsThatExpireByThenAreNone) {
  const TurnCredentials before({kSecret}, {});
  const TurnCredential old = before.mint("bob", seconds(3600), kNow);
  const TurnCredentials after({kSecret}, {}, {{"bob", kNow + seconds(3600)}});
  EXPECT_TRUE(before.find(old.username, kNow));
  EXPECT_FALSE(after.find(old.username, kNow));
  EXPECT_FALSE(after.find("bob:" + std::to_string(kNow.seconds + 60), kNow)) << "the other order of the two";
  EXPECT_TRUE(after.find(after.mint("bob", seconds(3600), kNow + seconds(1)).username, kNow));
  EXPECT_TRUE(after.find(after.mint("carol", seconds(3600), kNow).username, kNow));
}

TEST(Revocations, AreKeptAsText) {
  Revocations revocations;
  ASSERT_TRUE(revocations.add("J\xC3\xB6rg Two Words", kNow));
  ASSERT_TRUE(revocations.add("bob", kNow + seconds(1)));
  const Revocations again = Revocations::parse(revocations.text());
  EXPECT_EQ(again.by_user(), revocations.by_user());
}

TEST(Revocations, ALineOfAnotherFormIsLeftOut) {
  const Revocations read = Revocations::parse("nonsense\n\n12\n12 \n-5 a\n99 bob\n1x carol\n7 last");
  EXPECT_FALSE(read.covers("carol", 0));
  EXPECT_TRUE(read.covers("bob", 99));
  EXPECT_TRUE(read.covers("last", 7));
  EXPECT_EQ(read.by_user().size(), 3U);
}

TEST(Revocations, AreLimitedAndTheOldOnesGiveWay) {
  Revocations revocations;
  for (std::size_t i = 0; i < Revocations::kLimit; ++i) ASSERT_TRUE(revocations.add(std::to_string(i), kNow));
  EXPECT_FALSE(revocations.add("one more", kNow));
  EXPECT_TRUE(revocations.add("7", kNow)) << "it is there already";
  const UnixTime later = kNow + Revocations::kKept + seconds(1);
  EXPECT_TRUE(revocations.add("one more", later));
  EXPECT_EQ(revocations.by_user().size(), 1U);
  EXPECT_LT(revocations.text().size(), std::size_t{1024} * 1024);
}

}  // namespace
}  // namespace offhook::credentials
