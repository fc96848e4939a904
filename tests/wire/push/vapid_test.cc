#include "wire/push/vapid.h"

#include <gtest/gtest.h>

#include "crypto/base64.h"
#include "crypto/signature.h"

namespace offhook::push {
namespace {

std::string text_of(std::string_view part) { return to_string(*crypto::base64url_decode(part)); }

TEST(Vapid, SignsOriginAndExpiryWithTheKeyThatItShows) {
  const Buffer scalar(32, 7);
  const auto key = crypto::P256Key::from_scalar(scalar);
  const std::string header =
      vapid_authorization(*key, {"https://push.example.net", UnixTime{1453523768}, "mailto:ops@example.org"});

  ASSERT_TRUE(header.starts_with("vapid t=")) << header;
  const std::size_t comma = header.find(", k=");
  ASSERT_NE(comma, std::string::npos);
  EXPECT_EQ(header.substr(comma + 4), application_server_key(*key));
  const std::string token = header.substr(8, comma - 8);
  const std::size_t first = token.find('.');
  const std::size_t last = token.rfind('.');
  EXPECT_EQ(text_of(token.substr(0, first)), R"({"typ":"JWT","alg":"ES256"})");
  EXPECT_EQ(text_of(token.substr(first + 1, last - first - 1)),
            R"({"aud":"https://push.example.net","exp":1453523768,"sub":"mailto:ops@example.org"})");

  const Bytes point = key->public_point();
  const auto verifier = crypto::VerificationKey::from_p256(point.subspan(1, 32), point.subspan(33));
  EXPECT_TRUE(
      verifier->verify(as_bytes(token.substr(0, last)), *crypto::base64url_decode(token.substr(last + 1))));
}

TEST(Vapid, LeavesOutASubjectThatIsNotThere) {
  const auto key = crypto::P256Key::from_scalar(Buffer(32, 7));
  const std::string header = vapid_authorization(*key, {"https://push.example.net", UnixTime{5}, ""});
  const std::size_t first = header.find('.');
  const std::size_t last = header.rfind('.');
  EXPECT_EQ(text_of(header.substr(first + 1, last - first - 1)),
            R"({"aud":"https://push.example.net","exp":5})");
}

TEST(Vapid, TheKeyOfThePageIsTheUncompressedPoint) {
  const auto key = crypto::P256Key::from_scalar(Buffer(32, 7));
  EXPECT_EQ(*crypto::base64url_decode(application_server_key(*key)),
            Buffer(key->public_point().begin(), key->public_point().end()));
}

}  // namespace
}  // namespace offhook::push
