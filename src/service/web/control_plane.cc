#include "service/web/control_plane.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/net/fd_limit.h"

namespace offhook::service {
namespace {

// Close frames of WebSockets leave in this time; a peer that does not answer is left behind.
constexpr std::chrono::milliseconds kFarewell{300};
// A look costs two calls of stat().
constexpr std::chrono::seconds kCertificateLookInterval{1};

// Of the files that a process may open, those that are no connections of clients: listeners, the journal,
// requests to other servers.
constexpr std::uint64_t kOtherFiles = 256;

// A connection that finds no descriptor left would wait for one; beyond this it is refused.
std::size_t connections_limit() {
  const std::size_t wanted = io::HttpServerSettings{}.connections_limit;
  const std::uint64_t files = io::raise_fd_limit(wanted + kOtherFiles);
  const std::size_t possible = files - std::min(files, kOtherFiles);
  if (possible >= wanted) return wanted;
  spdlog::info(
      "at most {} connections at a time, {} less than without the limit of {} open files (LimitNOFILE= in a "
      "systemd "
      "unit, ulimit -n)",
      possible, wanted - possible, files);
  return possible;
}

// A machine without IPv6 is no error when nobody asked for an address.
bool is_missing_family(const io::ListenError& error) {
  return error.error == EAFNOSUPPORT || error.error == EADDRNOTAVAIL;
}

}  // namespace

ControlPlane::ControlPlane(ControlPlaneSettings settings)
    : http_(loop_, io::HttpServerSettings{.allowed_origins = std::move(settings.allowed_origins),
                                          .connections_limit = connections_limit(),
                                          .requests_per_second = settings.requests_per_second,
                                          .websockets_per_second = settings.websockets_per_second}) {}

Result<void, std::string> ControlPlane::listen(const std::vector<Ip>& addresses, std::uint16_t port) {
  const std::vector<Ip> everywhere{Ip(), Ip::v6({})};
  std::size_t bound = 0;
  for (const Ip& ip : addresses.empty() ? everywhere : addresses) {
    const auto listening = http_.listen(Address{ip, port});
    if (listening) {
      bound += 1;
    } else if (!addresses.empty() || !is_missing_family(listening.error())) {
      return fail(listening.error().message);
    }
  }
  if (bound == 0) return fail(std::string("this machine has neither IPv4 nor IPv6"));
  return {};
}

bool ControlPlane::adopt_from(int fd, std::function<std::vector<io::AcceptedStream>()> take) {
  streams_watch_ = std::make_unique<io::ControlLoop::Watch>(loop_, fd, [this, take = std::move(take)] {
    for (io::AcceptedStream& stream : take()) http_.adopt(std::move(stream));
  });
  return bool(*streams_watch_);
}

void ControlPlane::watch(Certificates certificates, CertificateSettings settings) {
  certificate_watch_.emplace(std::move(certificates), std::move(settings), io::ControlLoop::now().monotonic);
  certificate_timer_ = std::make_unique<io::ControlLoop::Timer>(loop_, [this] {
    const Now now = io::ControlLoop::now();
    certificate_watch_->look(now);
    certificate_timer_->set(now.monotonic + kCertificateLookInterval);
  });
  certificate_timer_->set(io::ControlLoop::now().monotonic + kCertificateLookInterval);
}

void ControlPlane::run(const std::function<void()>& on_stop) {
  io::ControlLoop::Timer farewell(loop_, [this] { loop_.stop(); });
  loop_.on_stop_signal([&](int) {
    http_.stop_listening();
    on_stop();
    farewell.set(io::ControlLoop::now().monotonic + kFarewell);
  });
  loop_.run();
}

}  // namespace offhook::service
