#include "service/web/certificates.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "tls_client.h"

namespace offhook::service {
namespace {

Address at(const char* text) { return *Address::parse(text); }

TEST(PageUrl, IsOneThatTheCertificateCovers) {
  io::Certificate certificate;
  certificate.names = {{"calls.example.org"}, {*Ip::parse("127.0.0.1"), *Ip::parse("2001:db8::1")}};
  const auto url = [&](std::vector<Address> addresses, std::string_view public_name = "") {
    return page_url(certificate, public_name, addresses);
  };
  EXPECT_EQ(url({at("127.0.0.1:5349"), at("[2001:db8::1]:5349")}), "https://[2001:db8::1]:5349/");
  EXPECT_EQ(url({at("127.0.0.1:443")}), "https://127.0.0.1/");
  EXPECT_EQ(url({at("192.0.2.1:443")}), "https://calls.example.org/");
  EXPECT_EQ(url({at("127.0.0.1:5349")}, "calls.example.net"), "https://calls.example.net:5349/");
  certificate.names = {};
  EXPECT_EQ(url({at("192.0.2.1:5349")}), "https://192.0.2.1:5349/");
}

TEST(Certificates, AreNoneOrTheOperatorsOrOurOwn) {
  const test::ScratchDirectory scratch;
  CertificateSettings settings;
  settings.state_dir = scratch.file("state");
  EXPECT_EQ(*open_certificates(settings), nullptr);
  settings.make_own = true;
  settings.addresses = {*Ip::parse("192.0.2.7")};
  const auto own = open_certificates(settings);
  ASSERT_TRUE(own) << own.error();
  EXPECT_TRUE((*own)->current()->names.covers(*Ip::parse("192.0.2.7")));
  const io::CertificateFiles given = test::fresh_certificate(scratch, "given");
  settings.certificate_file = given.certificate;
  settings.key_file = given.key;
  const auto operators = open_certificates(settings);
  ASSERT_TRUE(operators) << operators.error();
  EXPECT_FALSE((*operators)->current()->names.covers(*Ip::parse("192.0.2.7"))) << "not our own";
  settings.key_file = scratch.file("none");
  EXPECT_FALSE(open_certificates(settings));
}

// What is logged while it lives.
class Log {
 public:
  Log() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(text_)));
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log() { spdlog::set_default_logger(before_); }
  std::size_t count_of(std::string_view words) const {
    const std::string text = text_.str();
    std::size_t count = 0;
    for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++count;
    return count;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

constexpr std::chrono::hours kDay{24};

Now later(const Now& now, std::chrono::seconds span) { return {now.monotonic + span, now.wall + span}; }

TEST(CertificateWatch, WarnsOnceADay) {
  const test::ScratchDirectory scratch;
  const Now now = io::read_now();
  const auto ending = io::own_certificate(scratch.file("ending"), {}, now.wall + -360 * kDay);
  ASSERT_TRUE(ending) << ending.error();
  CertificateSettings settings;
  settings.certificate_file = ending->certificate;
  settings.key_file = ending->key;
  const Log log;
  const auto certificates = open_certificates(settings);
  ASSERT_TRUE(certificates) << certificates.error();
  EXPECT_EQ(log.count_of("expires on"), 1U) << "at start";
  CertificateWatch watch(*certificates, settings, now.monotonic);
  watch.look(later(now, std::chrono::seconds(1)));
  watch.look(later(now, kDay - std::chrono::seconds(1)));
  EXPECT_EQ(log.count_of("expires on"), 1U);
  watch.look(later(now, kDay));
  EXPECT_EQ(log.count_of("expires on"), 2U);
  watch.look(later(now, 2 * kDay - std::chrono::seconds(1)));
  EXPECT_EQ(log.count_of("expires on"), 2U);
  watch.look(later(now, 2 * kDay));
  EXPECT_EQ(log.count_of("expires on"), 3U);
  watch.look(later(now, 6 * kDay));
  EXPECT_EQ(log.count_of("expired on"), 1U);
  EXPECT_EQ((*certificates)->current()->not_after, (*io::load_certificate(*ending)).not_after) << "not ours";
}

TEST(CertificateWatch, MakesOurOwnAnewBeforeItEnds) {
  const test::ScratchDirectory scratch;
  const Now now = io::read_now();
  CertificateSettings settings;
  settings.state_dir = scratch.file("state");
  settings.make_own = true;
  settings.addresses = {*Ip::parse("192.0.2.7")};
  const auto certificates = open_certificates(settings);
  ASSERT_TRUE(certificates) << certificates.error();
  const auto first = (*certificates)->current();
  const Log log;
  CertificateWatch watch(*certificates, settings, now.monotonic);
  const auto live_until = [&](std::chrono::seconds span) {
    for (int i = 0; i < 3; ++i) watch.look(later(now, span + std::chrono::seconds(i)));
  };
  live_until(300 * kDay);
  EXPECT_EQ((*certificates)->current(), first) << "good for long";
  live_until(340 * kDay);
  EXPECT_GT((*certificates)->current()->not_after, first->not_after);
  EXPECT_TRUE((*certificates)->current()->names.covers(*Ip::parse("192.0.2.7")));
  EXPECT_EQ(log.count_of("the certificate has changed"), 1U);
  EXPECT_EQ(log.count_of("expires on"), 0U);
}

}  // namespace
}  // namespace offhook::service
