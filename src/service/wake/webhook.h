#pragma once
// The webhook to the app's backend (docs/waking.md): events of calls, signed as Standard Webhooks says, in
// the order of each call.

#include <functional>
#include <string>
#include <string_view>

#include "base/redact.h"
#include "service/wake/dispatch.h"
#include "service/wake/ring.h"

namespace offhook::service {

enum class CallEvent : std::uint8_t {
  dialled,   // wake the callee's devices
  answered,  // on one device; the others may stop
  canceled,  // it has stopped ringing, and nobody has answered
  ended,     // after somebody has answered
};
std::string_view name(CallEvent event);  // "call.dialled", ...

// `v1,` and the base64 of HMAC-SHA256 over `id.seconds.body`.
std::string webhook_signature(const Secret& key, std::string_view id, UnixTime at, std::string_view body);

// What an event says. `reason` is empty where there is none. At most kWebhookBodyLimit bytes.
std::string webhook_body(CallEvent event, const Ring& ring, std::string_view reason, UnixTime at,
                         Duration age);
// What a push to a phone may carry (APNs VoIP 5 KB, FCM 4096 bytes): the body may be passed on as it is.
inline constexpr std::size_t kWebhookBodyLimit = 4096;

class Webhook {
 public:
  // An event is tried for so long. A backend that is deployed anew is back sooner; what is older tells of
  // nothing that still matters.
  static constexpr std::chrono::minutes kEventLife{10};

  // Borrows `loop` and `random`, which must outlive this.
  Webhook(io::ControlLoop& loop, io::HttpUrl url, Secret key, io::TlsContext tls, Random& random,
          const wake::DeliverySettings& deliveries = {});

  // False if the queue is full.
  bool post(CallEvent event, const Ring& ring, std::string_view reason, std::function<void(Fate)> on_over);
  DispatchCounters counters() const { return dispatch_.counters(); }

 private:
  wake::Outcome judge(const Dispatch::Answer& answer);

  const io::HttpUrl url_;
  const Secret key_;
  Random& random_;
  bool answers_ = true;  // as of the last attempt
  bool told_of_gone_ = false;
  Dispatch dispatch_;
};

}  // namespace offhook::service
