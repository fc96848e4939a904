#include "service/signal/call_log.h"

#include <gtest/gtest.h>

namespace offhook::service {
namespace {

TEST(CallLine, NamesAreQuotedAndNeverStartALine) {
  call::CallEnded ended{*signal::CallId::parse("c_0123456789012345678901"),
                        "al\nice\r\x1b[1m%n{}\"",
                        std::string("b\0b", 3),
                        signal::EndReason::hangup,
                        true,
                        false,
                        std::chrono::milliseconds(1234),
                        {}};
  const std::string line = call_line(ended);
  EXPECT_EQ(line.find_first_of("\n\r\x1b"), std::string::npos);
  EXPECT_EQ(line.find('\0'), std::string::npos);
  EXPECT_NE(line.find("reason=hangup accepted=true connected=false lasted_ms=1234"), std::string::npos)
      << line;
  EXPECT_NE(line.find(R"(%n{}\")"), std::string::npos) << line;
}

}  // namespace
}  // namespace offhook::service
