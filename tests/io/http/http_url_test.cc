#include "io/http/http_url.h"

#include <gtest/gtest.h>

namespace offhook::io {
namespace {

TEST(HttpUrl, SaysWhereARequestGoes) {
  const auto url = HttpUrl::parse("https://Push.Example.net/send/a%20b?c=d");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "push.example.net");
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(url->target, "/send/a%20b?c=d");
  EXPECT_EQ(url->authority(), "push.example.net");
  EXPECT_EQ(url->origin(), "https://push.example.net");
  const auto plain = HttpUrl::parse("http://[2001:db8::1]:8081");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->tls);
  EXPECT_EQ(plain->host, "2001:db8::1");
  EXPECT_EQ(plain->target, "/");
  EXPECT_EQ(plain->origin(), "http://[2001:db8::1]:8081");
  EXPECT_EQ(HttpUrl::parse("http://a:80/")->authority(), "a");
  EXPECT_EQ(HttpUrl::parse("https://a:80/?x")->authority(), "a:80");
}

TEST(HttpUrl, TakesNothingElse) {
  for (const char* text : {"",
                           "push.example.net",
                           "/path",
                           "//push.example.net/x",
                           "ftp://a/",
                           "wss://a/",
                           "https:///x",
                           "https://user@a/",
                           "https://user:word@a/",
                           "https://a/#part",
                           "https://a:0/",
                           "https://a:65536/",
                           "https://a b/",
                           "https://a%00b/",
                           "https://a\r\nX: y/",
                           "https://a/\r\nX: y",
                           "https://[::1%25lo]/",
                           "https://\xC3\xA4/",
                           "https://a/\xC3\xA4",
                           "https://a:x/"}) {
    EXPECT_FALSE(HttpUrl::parse(text)) << text;
  }
}

}  // namespace
}  // namespace offhook::io
