#include "io/tls/own_certificate.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "io/store/private_file.h"

namespace offhook::io {
namespace {

constexpr std::int64_t kDaySeconds = 86400;
constexpr std::int64_t kLifeDays = 365;
constexpr std::int64_t kRemadeBeforeEndDays = 30;
constexpr int kSerialBits = 127;  // positive, within the 20 octets of RFC 5280 section 4.1.2.2
constexpr const char* kName = "localhost";

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using X509Pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

std::vector<Ip> all_addresses(const std::vector<Ip>& addresses) {
  std::vector<Ip> all = {*Ip::parse("127.0.0.1"), *Ip::parse("::1")};
  for (const Ip& ip : addresses) {
    if (std::find(all.begin(), all.end(), ip) == all.end()) all.push_back(ip);
  }
  return all;
}

bool good_enough(const CertificateFiles& files, const std::vector<Ip>& addresses, UnixTime now) {
  if (!file_exists(files.certificate) || !file_exists(files.key)) return false;
  const auto certificate = load_certificate(files);
  if (!certificate) return false;
  const bool lasts = certificate->not_after.seconds - now.seconds > kRemadeBeforeEndDays * kDaySeconds &&
                     certificate->not_before <= now;
  return lasts && certificate->names.covers(kName) &&
         std::all_of(addresses.begin(), addresses.end(),
                     [&](const Ip& ip) { return certificate->names.covers(ip); });
}

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool set_names(X509* certificate, const std::vector<Ip>& addresses) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* common_name = reinterpret_cast<const unsigned char*>("offhook, made by itself");
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, common_name, -1, -1, 0) != 1 ||
      X509_set_issuer_name(certificate, subject) != 1) {
    return false;
  }
  std::string alternatives = std::string("DNS:") + kName;
  for (const Ip& ip : addresses) alternatives += ",IP:" + ip.text();
  return add_extension(certificate, NID_subject_alt_name, alternatives) &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth");
}

X509Pointer sign_new(EVP_PKEY* key, const std::vector<Ip>& addresses, UnixTime now) {
  X509Pointer certificate(X509_new(), &X509_free);
  const Number serial(BN_new(), &BN_free);
  const bool made =
      certificate && serial && BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) != nullptr &&
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
      // A day back: another machine's clock may be behind.
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), now.seconds - kDaySeconds) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), now.seconds + kLifeDays * kDaySeconds) !=
          nullptr &&
      X509_set_pubkey(certificate.get(), key) == 1 && set_names(certificate.get(), addresses) &&
      X509_sign(certificate.get(), key, EVP_sha256()) != 0;
  if (!made) certificate.reset();
  return certificate;
}

std::string written(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size <= 0 ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

Result<CertificateFiles, std::string> own_certificate(const std::string& directory,
                                                      const std::vector<Ip>& addresses, UnixTime now) {
  const CertificateFiles files{directory + "/own-certificate.pem", directory + "/own-certificate-key.pem"};
  const std::vector<Ip> all = all_addresses(addresses);
  if (good_enough(files, all, now)) return files;

  ERR_clear_error();
  const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const X509Pointer certificate = key ? sign_new(key.get(), all, now) : X509Pointer(nullptr, &X509_free);
  const Bio key_text(BIO_new(BIO_s_mem()), &BIO_free_all);
  const Bio certificate_text(BIO_new(BIO_s_mem()), &BIO_free_all);
  const bool made =
      certificate && key_text && certificate_text &&
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) == 1;
  if (!made) {
    ERR_clear_error();
    return fail(std::string("no certificate could be made for --dev; give one with --cert and --key"));
  }
  if (auto wrote = write_private_file(files.key, written(key_text.get())); !wrote)
    return fail(wrote.error().message);
  if (auto wrote = write_private_file(files.certificate, written(certificate_text.get())); !wrote)
    return fail(wrote.error().message);
  return files;
}

}  // namespace offhook::io
