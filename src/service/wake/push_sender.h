#pragma once
// Web Push to the browsers of a callee (RFC 8030, RFC 8291, RFC 8292): that somebody calls, and that it is
// over.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/p256.h"
#include "service/wake/dispatch.h"
#include "service/wake/log_pace.h"
#include "service/wake/ring.h"
#include "service/wake/subscription.h"

namespace offhook::service {

// What the service worker gets: {"type":"ring",…} and {"type":"over",…} (docs/waking.md).
std::string ring_text(const Ring& ring, Duration age);
// `reason` is `answered`, or why it has ended.
std::string over_text(const Ring& ring, std::string_view reason);

// One a call, so that a message which a push service still holds is replaced by the next one (RFC 8030
// section 5.4).
std::string push_topic(const Ring& ring);

class PushSender {
 public:
  // Borrows `loop` and `random`, which must outlive this. `contact` may be empty.
  PushSender(io::ControlLoop& loop, crypto::P256Key key, std::string contact, EndpointPolicy policy,
             io::TlsContext tls, Random& random);

  // Nothing if the queue is full. It is given up when the call has stopped ringing.
  std::optional<wake::MessageId> send_ring(const Ring& ring, const Subscription& to,
                                           std::function<void(Fate)> on_over);
  void send_over(const Ring& ring, const Subscription& to, std::string_view reason);
  void take_back(wake::MessageId message) { dispatch_.take_back(message); }

  // For PushManager.subscribe().
  std::string application_server_key() const;
  DispatchCounters counters() const { return dispatch_.counters(); }

 private:
  std::optional<wake::MessageId> send(const Ring& ring, const Subscription& to, Instant expiry,
                                      std::function<std::string(const Now&)> text,
                                      std::function<void(Fate)> on_over);
  io::OutgoingRequest request(const Subscription& to, std::string_view text, std::string_view topic,
                              std::chrono::seconds life, const Now& now);

  wake::Outcome judge(const Dispatch::Answer& answer, const io::HttpUrl& url);
  void warn(const io::HttpUrl& url, std::string_view what);

  const crypto::P256Key key_;
  const std::string contact_;
  Random& random_;
  LogPace pace_;
  Dispatch dispatch_;
};

}  // namespace offhook::service
