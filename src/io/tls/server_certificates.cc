#include "io/tls/server_certificates.h"

#include <utility>

#include "io/store/private_file.h"

namespace offhook::io {
namespace {

constexpr std::chrono::minutes kRetryInterval{1};

}  // namespace

Result<std::shared_ptr<ServerCertificates>, std::string> ServerCertificates::load(CertificateFiles files) {
  // The version is read before the files: a change in between is then seen at the next look.
  const Version version = version_of(files);
  auto certificate = load_certificate(files);
  if (!certificate) return fail(certificate.error());
  return std::shared_ptr<ServerCertificates>(
      new ServerCertificates(std::move(files), version, std::move(*certificate)));
}

ServerCertificates::ServerCertificates(CertificateFiles files, Version version, Certificate certificate)
    : files_(std::move(files)),
      read_(version),
      seen_(version),
      current_(std::make_shared<const Certificate>(std::move(certificate))) {}

std::shared_ptr<const Certificate> ServerCertificates::current() const {
  const std::scoped_lock lock(mutex_);
  return current_;
}

Result<bool, std::string> ServerCertificates::look(Instant now) {
  const Version before = std::exchange(seen_, version_of(files_));
  if (seen_ != before || (seen_ == read_ && now < retry_at_)) return false;
  read_ = seen_;
  auto certificate = load_certificate(files_);
  if (!certificate) {
    retry_at_ = now + kRetryInterval;
    if (certificate.error() == failure_) return false;
    failure_ = certificate.error();
    return fail(failure_);
  }
  retry_at_ = kNever;
  failure_.clear();
  auto fresh = std::make_shared<const Certificate>(std::move(*certificate));
  const std::scoped_lock lock(mutex_);
  current_ = std::move(fresh);
  return true;
}

ServerCertificates::Version ServerCertificates::version_of(const CertificateFiles& files) {
  return {file_version(files.certificate), file_version(files.key)};
}

}  // namespace offhook::io
