#include "base/redact.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <sstream>
#include <type_traits>

namespace offhook {
namespace {

template <typename T>
concept Streamable = requires(std::ostringstream& stream, const T& value) {
  stream << value;
};

static_assert(!Streamable<Secret>);
static_assert(!fmt::is_formattable<Secret>::value);
static_assert(!std::is_convertible_v<Secret, std::string>);

TEST(Redact, KeepsTheNetworkAndHidesTheHost) {
  EXPECT_EQ(redacted(Ip::v4({203, 0, 113, 77})), "203.0.113.x");
  EXPECT_EQ(redacted(Ip::parse("2001:db8:1:2:3:4:5:6").value()), "2001:db8:1::/48");
}

TEST(Redact, LoopbackIsNobody) {
  EXPECT_EQ(redacted(Ip::parse("127.0.0.1").value()), "127.0.0.1");
  EXPECT_EQ(redacted(Ip::parse("::1").value()), "::1");
}

TEST(Secret, RevealsOnlyWhenAsked) {
  const Secret secret("value");
  EXPECT_EQ(secret.reveal(), "value");
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(Secret().empty());
}

}  // namespace
}  // namespace offhook
