#pragma once
// Wakes the devices of a callee: by the webhook to the app's backend, and by Web Push to browsers that have
// subscribed here (docs/waking.md). Devices that are online ring without it. Everything runs on the control
// thread.
//
//   GET    /api/push/key             what a page subscribes with
//   POST   /api/push/subscriptions   a browser of the token's user
//   DELETE /api/push/subscriptions   no more

#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "base/redact.h"
#include "base/result.h"
#include "core/call/effects.h"
#include "core/credentials/token_verifier.h"
#include "io/http/control_loop.h"
#include "io/http/http_server.h"
#include "service/wake/dispatch.h"

namespace offhook::service {

struct WakeSettings {
  std::string state_dir;
  Duration ring_timeout = std::chrono::seconds(45);
  std::string webhook_url;    // empty: none
  Secret webhook_secret;      // empty: of the state directory
  std::string push_contact;   // mailto: or https:, whom push services may write to; may be empty
  bool any_endpoint = false;  // push to http and to this machine as well, for trying out
};

struct WakeCounters {
  DispatchCounters webhook;
  DispatchCounters push;
  std::uint64_t subscriptions_added = 0;
  std::uint64_t subscriptions_gone = 0;  // told by their push service
  std::size_t rings = 0;                 // live calls that it knows
};

class WakeService {
 public:
  // Called when it turns out whether somebody is being woken for a call.
  using OnWaking = std::function<void(const signal::CallId& call, call::Waking waking)>;

  // Reads or makes keys. The error is a sentence for the operator; a webhook that cannot be reached is none.
  // `loop`, `verifier` and `random` must outlive the service.
  static Result<std::unique_ptr<WakeService>, std::string> create(io::ControlLoop& loop,
                                                                  WakeSettings settings,
                                                                  const credentials::TokenVerifier& verifier,
                                                                  Random& random);
  ~WakeService();
  WakeService(const WakeService&) = delete;
  WakeService& operator=(const WakeService&) = delete;

  // The service must outlive the server's last request.
  void add_routes(io::HttpServer& server);
  void on_waking(OnWaking on_waking);

  // The effects of the call core, in its order.
  void handle(const call::CallDialled& dialled);
  void handle(const call::CallAnswered& answered);
  void handle(const call::CallEnded& ended);

  WakeCounters counters() const;

 private:
  class Impl;
  explicit WakeService(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace offhook::service
