#include "service/web/certificates.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "io/loop/clock.h"
#include "io/tls/own_certificate.h"

namespace offhook::service {
namespace {

constexpr std::chrono::hours kDaily{24};

void log_warning(const io::Certificate& certificate, UnixTime now) {
  const std::string warning = io::certificate_warning(certificate, now);
  if (!warning.empty()) spdlog::warn("the certificate {}", warning);
}

}  // namespace

Result<Certificates, std::string> open_certificates(const CertificateSettings& settings) {
  io::CertificateFiles files{settings.certificate_file, settings.key_file};
  if (files.certificate.empty()) {
    if (!settings.make_own) return Certificates();
    auto own = io::own_certificate(settings.state_dir, settings.addresses, io::read_now().wall);
    if (!own) return fail(own.error());
    files = *own;
  }
  auto certificates = io::ServerCertificates::load(files);
  if (!certificates) return fail(certificates.error());
  log_warning(*(*certificates)->current(), io::read_now().wall);
  return certificates;
}

std::string page_url(const io::Certificate& certificate, std::string_view public_name,
                     const std::vector<Address>& addresses) {
  constexpr std::uint16_t kHttpsPort = 443;
  const std::string port =
      addresses.front().port == kHttpsPort ? "/" : ":" + std::to_string(addresses.front().port) + "/";
  if (!public_name.empty()) return "https://" + std::string(public_name) + port;
  const Address* covered = nullptr;
  for (const Address& address : addresses) {
    if (!certificate.names.covers(address.ip)) continue;
    if (covered == nullptr || (covered->ip.is_loopback() && !address.ip.is_loopback())) covered = &address;
  }
  const std::string name = certificate.names.first_name();
  if (covered == nullptr && !name.empty()) return "https://" + name + port;
  const Ip& ip = covered == nullptr ? addresses.front().ip : covered->ip;
  return "https://" + (ip.is_v4() ? ip.text() : "[" + ip.text() + "]") + port;
}

CertificateWatch::CertificateWatch(Certificates certificates, CertificateSettings settings, Instant now)
    : certificates_(std::move(certificates)), settings_(std::move(settings)), next_daily_(now + kDaily) {}

void CertificateWatch::look(const Now& now) {
  const auto changed = certificates_->look(now.monotonic);
  if (!changed) spdlog::error("the certificate stays as it was: {}", changed.error());
  if (changed && *changed) {
    spdlog::info("the certificate has changed: new connections get the new one");
    log_warning(*certificates_->current(), now.wall);
    next_daily_ = now.monotonic + kDaily;
  }
  if (now.monotonic >= next_daily_) look_daily(now);
}

void CertificateWatch::look_daily(const Now& now) {
  next_daily_ = now.monotonic + kDaily;
  if (settings_.certificate_file.empty()) {
    // A fresh one is taken up as any change of the files is.
    const auto own = io::own_certificate(settings_.state_dir, settings_.addresses, now.wall);
    if (own) return;
    spdlog::error("the certificate of our own cannot be made anew: {}", own.error());
  }
  log_warning(*certificates_->current(), now.wall);
}

}  // namespace offhook::service
