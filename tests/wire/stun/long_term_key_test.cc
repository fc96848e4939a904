#include "wire/stun/long_term_key.h"

#include <gtest/gtest.h>

#include "base/hex.h"

namespace offhook::stun {
namespace {

TEST(LongTermKey, IsTheHashOfTheTextThatTheRfcGives) {
  EXPECT_EQ(to_hex(long_term_key_md5("user", "realm", "pass")), "8493fbc53ba582fb4c044c456bdc40eb");
  EXPECT_EQ(long_term_key_md5("user", "realm", "pass"), crypto::md5(as_bytes("user:realm:pass")));
  EXPECT_EQ(long_term_key_sha256("user", "realm", "pass"), crypto::sha256(as_bytes("user:realm:pass")));
  EXPECT_EQ(userhash("user", "realm"), crypto::sha256(as_bytes("user:realm")));
}

TEST(LongTermKey, EmptyPartsKeepTheirColons) {
  EXPECT_EQ(long_term_key_md5("", "", ""), crypto::md5(as_bytes("::")));
  EXPECT_EQ(userhash("", ""), crypto::sha256(as_bytes(":")));
}

}  // namespace
}  // namespace offhook::stun
