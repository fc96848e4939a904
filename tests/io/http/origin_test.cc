#include "io/http/origin.h"

#include <gtest/gtest.h>

namespace offhook::io {
namespace {

struct Case {
  const char* description;
  const char* origin;
  const char* host;
  std::vector<std::string> allowed;
  bool expected;
};

TEST(Origin, Table) {
  const Case cases[] = {
      {"no Origin: not a browser", "", "a.example", {}, true},
      {"own origin", "http://localhost:8080", "localhost:8080", {}, true},
      {"own origin, default port left out", "https://a.example", "a.example", {}, true},
      {"own origin, default port written once", "https://a.example", "a.example:443", {}, true},
      {"own origin in other case", "https://A.example", "a.Example", {}, true},
      {"another port", "http://localhost:8081", "localhost:8080", {}, false},
      {"https's port is not http's", "http://a.example", "a.example:443", {}, false},
      {"foreign", "https://evil.example", "a.example", {}, false},
      {"a name that starts alike", "https://a.example.evil", "a.example", {}, false},
      {"a name that ends alike", "https://evil-a.example", "a.example", {}, false},
      {"null", "null", "a.example", {}, false},
      {"null as host", "null", "null", {}, false},
      {"another scheme", "ftp://a.example", "a.example", {}, false},
      {"no Host", "http://", "", {}, false},
      {"listed", "https://app.example", "a.example", {"https://x.example", "https://app.example"}, true},
      {"listed in other case", "https://APP.example", "a.example", {"https://app.example"}, true},
      {"listed with another scheme", "http://app.example", "a.example", {"https://app.example"}, false},
      {"everybody", "https://evil.example", "a.example", {"*"}, true},
  };
  for (const Case& c : cases)
    EXPECT_EQ(origin_allowed(c.origin, c.host, false, c.allowed), c.expected) << c.description;
}

TEST(Origin, OfARequestByTlsIsOwnOnlyWithHttps) {
  EXPECT_TRUE(origin_allowed("https://a.example", "a.example", true, {}));
  EXPECT_TRUE(origin_allowed("https://a.example:5349", "a.example:5349", true, {}));
  EXPECT_FALSE(origin_allowed("http://a.example:5349", "a.example:5349", true, {}));
  EXPECT_TRUE(origin_allowed("http://a.example:5349", "a.example:5349", false, {}));
  EXPECT_TRUE(origin_allowed("http://old.example", "a.example", true, {"http://old.example"}));
  EXPECT_TRUE(origin_allowed("", "a.example", true, {}));
}

}  // namespace
}  // namespace offhook::io
