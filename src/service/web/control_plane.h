#pragma once
// The control thread's loop and HTTP server, as one thing for the composition root to hold.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "io/http/control_loop.h"
#include "io/http/http_server.h"
#include "io/tls/server_certificates.h"

namespace offhook::service {

class ControlPlane {
 public:
  explicit ControlPlane(std::vector<std::string> allowed_origins);

  io::ControlLoop& loop() { return loop_; }
  io::HttpServer& http() { return http_; }

  // Binds `port` on these addresses; on every one of this machine if there are none. The error says what to
  // do.
  Result<void, std::string> listen(const std::vector<Ip>& addresses, std::uint16_t port);
  // Serves connections that came in elsewhere. On the loop's thread.
  void adopt(std::vector<io::AcceptedStream> streams);
  // Takes up changes of the certificate's files while the loop runs. `certificates` is not null.
  void watch(std::shared_ptr<io::ServerCertificates> certificates);
  // Runs until SIGINT or SIGTERM, then calls `on_stop` on the loop, and returns once sockets had time to
  // close.
  void run(const std::function<void()>& on_stop);

 private:
  io::ControlLoop loop_;
  io::HttpServer http_;
  std::shared_ptr<io::ServerCertificates> certificates_;
  std::unique_ptr<io::ControlLoop::Timer> certificate_timer_;
};

}  // namespace offhook::service
