#pragma once
// The certificate that new connections get, taken anew from its files when they change. Connections that
// stand keep the one that they began with.

#include <memory>
#include <mutex>
#include <string>

#include "base/time.h"
#include "io/tls/certificate.h"

namespace offhook::io {

class ServerCertificates {
 public:
  // The error says what to do, as load_certificate()'s does.
  static Result<std::shared_ptr<ServerCertificates>, std::string> load(CertificateFiles files);

  // From any thread; never null.
  std::shared_ptr<const Certificate> current() const;

  // Looks at the files; to be called every second or so, by one thread. A change counts once it has stood for
  // two looks, so that a certificate and a key that are written one after the other are read together. True:
  // new connections get the new certificate. The error says why the old one stays, once: as long as it is the
  // same, the answer is false. Files that could not be used are tried again each minute, for what was in the
  // way need not be in the files.
  Result<bool, std::string> look(Instant now);

 private:
  struct Version {
    std::uint64_t certificate = 0;
    std::uint64_t key = 0;
    bool operator==(const Version&) const = default;
  };
  ServerCertificates(CertificateFiles files, Version version, Certificate certificate);
  static Version version_of(const CertificateFiles& files);

  const CertificateFiles files_;
  Version read_;         // what current_ was made of, or what could not be used
  Version seen_;         // at the last look
  std::string failure_;  // of the last try; empty if it went well
  Instant retry_at_ = kNever;
  mutable std::mutex mutex_;
  std::shared_ptr<const Certificate> current_;
};

}  // namespace offhook::io
