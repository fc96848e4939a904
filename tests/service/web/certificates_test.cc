#include "service/web/certificates.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace offhook::service
