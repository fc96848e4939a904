#include "service/wake/wake_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "crypto/base64.h"
#include "crypto/secure_random.h"
#include "io/store/private_file.h"
#include "tls_client.h"

namespace offhook::service {
namespace {

class WakeKeys : public ::testing::Test {
 protected:
  crypto::SecureRandom random_;
  test::ScratchDirectory scratch_;
};

TEST_F(WakeKeys, AreMadeOnceAndStay) {
  const auto key = load_or_make_vapid_key(scratch_.path(), random_);
  ASSERT_TRUE(key) << key.error();
  EXPECT_EQ(load_or_make_vapid_key(scratch_.path(), random_)->public_point(), key->public_point());
  const auto secret = load_or_make_webhook_secret(scratch_.path(), random_);
  ASSERT_TRUE(secret) << secret.error();
  EXPECT_EQ(load_or_make_webhook_secret(scratch_.path(), random_)->reveal(), secret->reveal());
  EXPECT_TRUE(parse_webhook_secret(*secret));
  for (const std::string& path : {vapid_key_path(scratch_.path()), webhook_secret_path(scratch_.path())}) {
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << path;
  }
}

TEST_F(WakeKeys, ThatAreBrokenSayWhatToDo) {
  ASSERT_TRUE(io::write_private_file(vapid_key_path(scratch_.path()), "AAAA\n"));
  const auto key = load_or_make_vapid_key(scratch_.path(), random_);
  ASSERT_FALSE(key);
  EXPECT_NE(key.error().find("restore it, or remove it"), std::string::npos) << key.error();
  ASSERT_TRUE(io::write_private_file(webhook_secret_path(scratch_.path()), "something\n"));
  const auto secret = load_or_make_webhook_secret(scratch_.path(), random_);
  ASSERT_FALSE(secret);
  EXPECT_NE(secret.error().find("openssl rand -base64 32"), std::string::npos) << secret.error();
}

TEST_F(WakeKeys, ASecretIsOfTheLengthThatTheStandardAsksFor) {
  const auto key_of = [](std::size_t bytes) {
    return parse_webhook_secret(Secret("whsec_" + crypto::base64_encode(Buffer(bytes, 7))));
  };
  EXPECT_FALSE(key_of(23));
  ASSERT_TRUE(key_of(24));
  EXPECT_EQ(key_of(24)->reveal(), std::string(24, 7));
  EXPECT_TRUE(key_of(64));
  EXPECT_FALSE(key_of(65));
  EXPECT_FALSE(parse_webhook_secret(Secret(crypto::base64_encode(Buffer(32, 7)))));
  EXPECT_FALSE(parse_webhook_secret(Secret("whsec_not base64")));
}

}  // namespace
}  // namespace offhook::service
