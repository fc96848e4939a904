#pragma once
// Sends messages to other servers by HTTP, when and as often as core/wake/deliveries.h says. Of the control
// thread.

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "base/random.h"
#include "base/time.h"
#include "core/wake/deliveries.h"
#include "io/http/control_loop.h"
#include "io/http/http_client.h"
#include "service/wake/log_pace.h"

namespace offhook::service {

enum class Fate : std::uint8_t {
  delivered,
  refused,  // for good
  gone,     // refused, since there is nobody (404, 410)
  dropped,  // too old, or taken back
};

struct OutgoingMessage {
  std::string lane;  // messages of one lane arrive in their order
  Instant expiry;
  // Made anew for each attempt, so that times in it are those of the moment.
  std::function<io::OutgoingRequest(const Now& now)> request;
  // Comes once, never from within the send() of this message.
  std::function<void(Fate)> on_over;
};

struct DispatchCounters {
  std::uint64_t accepted = 0;    // by send()
  std::uint64_t queue_full = 0;  // refused by send()
  std::uint64_t attempts = 0;
  std::uint64_t failed_attempts = 0;
  std::uint64_t delivered = 0;
  std::uint64_t refused = 0;
  std::uint64_t dropped = 0;
  std::size_t waiting = 0;  // now
};

class Dispatch {
 public:
  using Answer = Result<io::IncomingAnswer, io::RequestError>;
  // What the answer of `url` means; may log.
  using Judge = std::function<wake::Outcome(const Answer& answer, const io::HttpUrl& url)>;

  // `name` is for the log. All borrowed ones must outlive this; what it has under way ends with it, without a
  // word.
  Dispatch(std::string name, io::ControlLoop& loop, const wake::DeliverySettings& deliveries,
           io::HttpClientSettings client, io::TlsContext tls, Random& random, Judge judge);

  // Nothing if the queue is full; the message is not kept then.
  std::optional<wake::MessageId> send(OutgoingMessage message);
  // Takes a message back, unless an attempt is under way or it is over.
  void take_back(wake::MessageId message);
  DispatchCounters counters() const;

 private:
  struct Kept {
    std::function<io::OutgoingRequest(const Now& now)> request;
    std::function<void(Fate)> on_over;
  };

  void carry_out(wake::DeliveryEffects effects);
  void attempt(wake::MessageId message);
  void handle_answer(wake::MessageId message, const io::HttpUrl& url, const Answer& answer);
  void finish(wake::MessageId message, Fate fate);

  const std::string name_;
  const Judge judge_;
  LogPace pace_;
  wake::Deliveries deliveries_;
  std::unordered_map<wake::MessageId, Kept> kept_;
  DispatchCounters counters_;
  io::HttpClient client_;
  io::ControlLoop::Timer timer_;
};

}  // namespace offhook::service
