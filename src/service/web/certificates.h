#pragma once
// The server's certificate: from the operator's files, or made by the server itself for trying out.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "io/tls/server_certificates.h"

namespace offhook::service {

struct CertificateSettings {
  std::string certificate_file;  // with its key; both empty: none is given
  std::string key_file;
  bool make_own = false;      // if none is given
  std::string state_dir;      // where an own one is kept
  std::vector<Ip> addresses;  // that an own one names
};

using Certificates = std::shared_ptr<io::ServerCertificates>;

// Null without a certificate. The error is a sentence for the operator; what he should know besides is
// logged.
Result<Certificates, std::string> open_certificates(const CertificateSettings& settings);

// Where people on other machines open the page: `public_name`, or one of `addresses` that the certificate
// covers, or its first name; the first address if it has none. `addresses` is not empty.
std::string page_url(const io::Certificate& certificate, std::string_view public_name,
                     const std::vector<Address>& addresses);

// What there is to do about a certificate while the server runs.
class CertificateWatch {
 public:
  // `certificates` are what open_certificates() made of `settings`; not null.
  CertificateWatch(Certificates certificates, CertificateSettings settings, Instant now);

  // To be called every second or so. Logs a change of the files, and why it could not be taken. Once a day
  // makes an own certificate that ends soon anew, and says again what the operator should know.
  void look(const Now& now);

 private:
  void look_daily(const Now& now);

  Certificates certificates_;
  CertificateSettings settings_;
  Instant next_daily_;
};

}  // namespace offhook::service
