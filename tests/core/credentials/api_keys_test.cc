#include "core/credentials/api_keys.h"

#include <gtest/gtest.h>

namespace offhook::credentials {
namespace {

TEST(ApiKeys, AnyOfThemOpensAndNothingLikeThem) {
  const ApiKeys keys({Secret("first-key-of-the-app"), Secret("second-key-of-the-app")});
  EXPECT_TRUE(keys.contains("first-key-of-the-app"));
  EXPECT_TRUE(keys.contains("second-key-of-the-app"));
  for (const char* wrong : {"", "first", "first-key-of-the-app ", "First-key-of-the-app",
                            "first-key-of-the-apq", "first-key-of-the-appsecond-key-of-the-app"}) {
    EXPECT_FALSE(keys.contains(wrong)) << wrong;
  }
  EXPECT_FALSE(ApiKeys({}).contains(""));
}

}  // namespace
}  // namespace offhook::credentials
