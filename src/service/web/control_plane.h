#pragma once
// The control thread's loop and HTTP server, as one thing for the composition root to hold.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "io/http/control_loop.h"
#include "io/http/http_server.h"
#include "service/web/certificates.h"

namespace offhook::service {

struct ControlPlaneSettings {
  std::vector<std::string> allowed_origins;
  // Of an address; 0: no limit (io/http/http_server.h).
  std::uint32_t requests_per_second = 0;
  std::uint32_t websockets_per_second = 0;
};

class ControlPlane {
 public:
  explicit ControlPlane(ControlPlaneSettings settings);

  io::ControlLoop& loop() { return loop_; }
  io::HttpServer& http() { return http_; }

  // Binds `port` on these addresses; on every one of this machine if there are none. The error says what to
  // do.
  Result<void, std::string> listen(const std::vector<Ip>& addresses, std::uint16_t port);
  // Serves connections that come in elsewhere: `take` gives them, on the loop's thread, whenever `fd` is
  // readable. False if no descriptor is left to watch with.
  [[nodiscard]] bool adopt_from(int fd, std::function<std::vector<io::AcceptedStream>()> take);
  // Takes care of the certificate that was made of `settings` while the loop runs. It is not null.
  void watch(Certificates certificates, CertificateSettings settings);
  // Runs until SIGINT or SIGTERM, then calls `on_stop` on the loop, and returns once sockets had time to
  // close.
  void run(const std::function<void()>& on_stop);

 private:
  io::ControlLoop loop_;
  io::HttpServer http_;
  std::unique_ptr<io::ControlLoop::Watch> streams_watch_;
  std::optional<CertificateWatch> certificate_watch_;
  std::unique_ptr<io::ControlLoop::Timer> certificate_timer_;
};

}  // namespace offhook::service
