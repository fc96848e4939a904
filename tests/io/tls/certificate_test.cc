#include "io/tls/certificate.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io/store/private_file.h"
#include "io/tls/server_certificates.h"
#include "io/tls/tls_connection.h"
#include "tls_client.h"

namespace offhook::io {
namespace {

constexpr std::int64_t kDay = 86400;

using test::TlsClient;

class Certificates : public testing::Test {
 protected:
  static std::string error_of(const CertificateFiles& files) {
    const auto loaded = load_certificate(files);
    return loaded ? "" : loaded.error();
  }
  static bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
  static std::string text_of(const std::string& file) { return *read_file(file); }

  test::ScratchDirectory scratch_;
  CertificateFiles good_ = test::fresh_certificate(scratch_, "good");
  UnixTime now_ = read_now().wall;
  Instant at_ = Instant{} + std::chrono::hours(1);
};

TEST_F(Certificates, NameWhomTheyAreFor) {
  const Ip lan = *Ip::parse("192.168.7.9");
  const auto certificate = load_certificate(test::fresh_certificate(scratch_, "lan", {lan}));
  ASSERT_TRUE(certificate);
  EXPECT_TRUE(certificate->names.covers(lan));
  EXPECT_TRUE(certificate->names.covers(*Ip::parse("::1")));
  EXPECT_FALSE(certificate->names.covers(*Ip::parse("192.168.7.8")));
  EXPECT_TRUE(certificate->names.covers("LocalHost"));
  EXPECT_EQ(certificate->names.first_name(), "localhost");
}

TEST(CertificateNames, WildcardsStandForOneLabel) {
  const CertificateNames names{{"*.example.org", "example.org"}, {}};
  EXPECT_TRUE(names.covers("turn.example.org"));
  EXPECT_TRUE(names.covers("example.org"));
  EXPECT_FALSE(names.covers("a.b.example.org"));
  EXPECT_FALSE(names.covers(".example.org"));
  EXPECT_FALSE(names.covers("example.com"));
  EXPECT_FALSE(names.covers(""));
  EXPECT_EQ(names.first_name(), "example.org");
  EXPECT_EQ((CertificateNames{{"*.example.org"}, {}}.first_name()), "");
}

TEST_F(Certificates, ThatCannotBeUsedSayWhatToDo) {
  const std::string missing = error_of({scratch_.file("none.pem"), good_.key});
  EXPECT_TRUE(contains(missing, "none.pem: No such file or directory; check the path")) << missing;
  const std::string no_key = error_of({good_.certificate, scratch_.file("none.key")});
  EXPECT_TRUE(contains(no_key, "none.key: No such file or directory")) << no_key;
  const std::string swapped = error_of({good_.key, good_.certificate});
  EXPECT_TRUE(contains(swapped, "is not in PEM form (-----BEGIN CERTIFICATE-----)")) << swapped;
  const std::string not_a_key = error_of({good_.certificate, scratch_.write("x.key", "nothing")});
  EXPECT_TRUE(contains(not_a_key, "holds no private key in PEM form")) << not_a_key;
  const std::string other = error_of({good_.certificate, test::fresh_certificate(scratch_, "other").key});
  EXPECT_TRUE(contains(other, "does not belong to the first certificate")) << other;
  const std::string damaged =
      scratch_.write("damaged.pem", text_of(good_.certificate) +
                                        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const std::string chain = error_of({damaged, good_.key});
  EXPECT_TRUE(contains(chain, "a later certificate of the chain")) << chain;
}

TEST_F(Certificates, WithALockedKeyAskNobodyForThePassphrase) {
  const std::string locked = scratch_.file("locked.pem");
  FILE* in = fopen(good_.key.c_str(), "r");
  EVP_PKEY* key = PEM_read_PrivateKey(in, nullptr, nullptr, nullptr);
  fclose(in);
  FILE* out = fopen(locked.c_str(), "w");
  unsigned char phrase[] = "secret";
  EXPECT_EQ(PEM_write_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), reinterpret_cast<char*>(phrase), 6,
                                      nullptr, nullptr),
            1);
  fclose(out);
  EVP_PKEY_free(key);
  const std::string error = error_of({good_.certificate, locked});
  EXPECT_TRUE(contains(error, "locked with a passphrase")) << error;
}

TEST_F(Certificates, AreWarnedOfBeforeTheyEnd) {
  const auto certificate = load_certificate(good_);
  EXPECT_EQ(certificate_warning(*certificate, now_), "");
  EXPECT_TRUE(contains(certificate_warning(*certificate, {now_.seconds + 360 * kDay}), "expires on"));
  EXPECT_TRUE(contains(certificate_warning(*certificate, {now_.seconds + 366 * kDay}), "expired on"));
  EXPECT_TRUE(contains(certificate_warning(*certificate, {now_.seconds - 2 * kDay}), "check the clock"));
  Certificate nameless = *certificate;
  nameless.names = {};
  EXPECT_TRUE(contains(certificate_warning(nameless, now_), "no subject alternative name"));
}

TEST_F(Certificates, OfOurOwnAreKeptWhileTheyServeAndArePrivate) {
  const std::string text = text_of(good_.certificate);
  struct stat status {};
  ASSERT_EQ(stat(good_.key.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const std::string directory = scratch_.file("good");
  ASSERT_TRUE(own_certificate(directory, {}, now_));
  EXPECT_EQ(text_of(good_.certificate), text);
  // Another address, a coming end, or a broken file: made anew.
  ASSERT_TRUE(own_certificate(directory, {*Ip::parse("10.1.2.3")}, now_));
  const std::string with_address = text_of(good_.certificate);
  EXPECT_NE(with_address, text);
  ASSERT_TRUE(own_certificate(directory, {}, {now_.seconds + 340 * kDay}));
  const std::string later = text_of(good_.certificate);
  EXPECT_NE(later, with_address);
  scratch_.write("good/own-certificate.pem", "broken");
  ASSERT_TRUE(own_certificate(directory, {}, now_));
  EXPECT_TRUE(load_certificate(good_));
  scratch_.write("plain", "");
  EXPECT_FALSE(own_certificate(scratch_.file("plain/below"), {}, now_));
}

// A connection that stands goes on with the certificate it began with; the next one gets the new one.
TEST_F(Certificates, AreSwappedUnderLiveConnections) {
  const auto certificates = ServerCertificates::load(good_);
  ASSERT_TRUE(certificates);
  const auto connect = [&](TlsClient& client, const Fd& socket) {
    auto server = TlsConnection::begin((*certificates)->current()->context, socket.get());
    for (int i = 0; i < 20; ++i) {
      const bool done = client.step();
      if (server->handshake() == TlsConnection::Status::done && done) break;
    }
    return server;
  };
  test::SocketPair old_ends = test::socket_pair();
  TlsClient old_client(std::move(old_ends.client));
  auto old_server = connect(old_client, old_ends.server);
  EXPECT_FALSE(*(*certificates)->look(at_));

  const CertificateFiles renewed = test::fresh_certificate(scratch_, "renewed");
  std::filesystem::rename(renewed.certificate, good_.certificate);
  EXPECT_FALSE(*(*certificates)->look(at_)) << "half of it";
  std::filesystem::rename(renewed.key, good_.key);
  EXPECT_FALSE(*(*certificates)->look(at_)) << "seen once";
  EXPECT_TRUE(*(*certificates)->look(at_));
  EXPECT_FALSE(*(*certificates)->look(at_));

  test::SocketPair new_ends = test::socket_pair();
  TlsClient new_client(std::move(new_ends.client));
  auto new_server = connect(new_client, new_ends.server);
  EXPECT_NE(new_client.server_serial(), old_client.server_serial());
  EXPECT_EQ(old_server->write(as_bytes("still here")).bytes, 10U);
  EXPECT_EQ(old_client.receive(), "still here");
}

TEST_F(Certificates, StayAsTheyAreWhenTheNewFileIsBroken) {
  const auto certificates = ServerCertificates::load(good_);
  const auto before = (*certificates)->current();
  scratch_.write("good/own-certificate.pem", "broken");
  EXPECT_FALSE(*(*certificates)->look(at_));
  const auto looked = (*certificates)->look(at_);
  ASSERT_FALSE(looked);
  EXPECT_TRUE(contains(looked.error(), "PEM form"));
  EXPECT_EQ((*certificates)->current(), before);
  const auto again = (*certificates)->look(at_);
  ASSERT_TRUE(again) << "said once";
  EXPECT_FALSE(*again);
  std::filesystem::remove(good_.certificate);
  EXPECT_FALSE(*(*certificates)->look(at_));
  EXPECT_FALSE((*certificates)->look(at_));
}

// What was in the way is none of the files: they stay as they are.
TEST_F(Certificates, AreTriedAgainEachMinuteAfterAFailure) {
  const auto certificates = ServerCertificates::load(good_);
  const auto before = (*certificates)->current();
  const CertificateFiles renewed = test::fresh_certificate(scratch_, "renewed");
  std::filesystem::rename(renewed.certificate, good_.certificate);
  std::filesystem::rename(renewed.key, good_.key);
  EXPECT_FALSE(*(*certificates)->look(at_));
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{0, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto failed = (*certificates)->look(at_);
  const auto same = (*certificates)->look(at_ + std::chrono::minutes(1));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_FALSE(failed);
  EXPECT_TRUE(contains(failed.error(), "Too many open files")) << failed.error();
  ASSERT_TRUE(same) << "said once";
  EXPECT_FALSE(*same);
  EXPECT_FALSE(*(*certificates)->look(at_ + std::chrono::seconds(119)));
  EXPECT_EQ((*certificates)->current(), before);
  EXPECT_TRUE(*(*certificates)->look(at_ + std::chrono::seconds(120)));
  EXPECT_NE((*certificates)->current(), before);
  EXPECT_FALSE(*(*certificates)->look(at_ + std::chrono::hours(1))) << "all is well";
}

}  // namespace
}  // namespace offhook::io
