#include "wire/stun/nonce_cookie.h"

#include <gtest/gtest.h>

namespace offhook::stun {
namespace {

TEST(NonceCookie, BitZeroIsTheLeftmost) {
  EXPECT_EQ(make_nonce_cookie({}), "obMatJos2AAAA");
  EXPECT_EQ(make_nonce_cookie({.password_algorithms = true}), "obMatJos2gAAA");
  EXPECT_EQ(make_nonce_cookie({.username_anonymity = true}), "obMatJos2QAAA");
  EXPECT_EQ(make_nonce_cookie({true, true}), "obMatJos2wAAA");
}

TEST(NonceCookie, RoundTripsInFrontOfANonce) {
  for (const bool algorithms : {false, true}) {
    for (const bool anonymity : {false, true}) {
      const SecurityFeatures features{algorithms, anonymity};
      EXPECT_EQ(make_nonce_cookie(features).size(), kNonceCookieBytes);
      EXPECT_EQ(parse_nonce_cookie(make_nonce_cookie(features)), features);
      EXPECT_EQ(parse_nonce_cookie(make_nonce_cookie(features) + "nonce"), features);
    }
  }
}

TEST(NonceCookie, BitsNotAssignedAreIgnored) {
  const SecurityFeatures none;
  EXPECT_EQ(parse_nonce_cookie("obMatJos2AAAC"), none);
  EXPECT_EQ(parse_nonce_cookie("obMatJos2P///"), none);
}

TEST(NonceCookie, RefusesWhatIsNoCookie) {
  for (const std::string_view nonce : {"", "obMatJos2", "obMatJos2AAA", "obMatJos3AAAA", "xobMatJos2AAAA",
                                       "obMatJos2AA==", "obMatJos2A-AA", "f//499k954d6OL34oL9FSTvy64sA"}) {
    EXPECT_FALSE(parse_nonce_cookie(nonce).has_value()) << nonce;
  }
}

}  // namespace
}  // namespace offhook::stun
