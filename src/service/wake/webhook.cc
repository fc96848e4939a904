#include "service/wake/webhook.h"

#include <spdlog/spdlog.h>

#include <array>
#include <ctime>

#include "crypto/base64.h"
#include "crypto/digest.h"
#include "wire/json/json.h"

namespace offhook::service {
namespace {

std::int64_t milliseconds(Duration span) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

// RFC 3339, in UTC.
std::string date_and_time(UnixTime at) {
  const auto seconds = static_cast<std::time_t>(at.seconds);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 32> text{};
  return std::string(text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
}

}  // namespace

std::string_view name(CallEvent event) {
  switch (event) {
    case CallEvent::dialled:
      return "call.dialled";
    case CallEvent::answered:
      return "call.answered";
    case CallEvent::canceled:
      return "call.canceled";
    case CallEvent::ended:
      return "call.ended";
  }
  return "";
}

std::string webhook_signature(const Secret& key, std::string_view id, UnixTime at, std::string_view body) {
  std::string covered = std::string(id) + "." + std::to_string(at.seconds) + ".";
  covered += body;
  return "v1," + crypto::base64_encode(crypto::hmac_sha256(as_bytes(key.reveal()), as_bytes(covered)));
}

std::string webhook_body(CallEvent event, const Ring& ring, std::string_view reason, UnixTime at,
                         Duration age) {
  json::Writer out;
  out.begin_object().field("type", name(event)).field("timestamp", date_and_time(at));
  out.key("data").begin_object();
  out.field("call", ring.call.text()).field("caller", ring.caller).field("callee", ring.callee);
  out.key("media").begin_object();
  out.field("audio", ring.media.audio).field("video", ring.media.video).end_object();
  out.field("age_ms", milliseconds(age)).field("ring_timeout_ms", milliseconds(ring.ring_timeout));
  if (!reason.empty()) out.field("reason", reason);
  out.end_object().end_object();
  return out.take();
}

Webhook::Webhook(io::ControlLoop& loop, io::HttpUrl url, Secret key, io::TlsContext tls, Random& random,
                 const wake::DeliverySettings& deliveries)
    : url_(std::move(url)),
      key_(std::move(key)),
      random_(random),
      // Where the operator sends us, we go: the backend may well be in a private network.
      dispatch_("the webhook", loop, deliveries, {}, std::move(tls), random,
                [this](const Dispatch::Answer& answer, const io::HttpUrl&) { return judge(answer); }) {}

bool Webhook::post(CallEvent event, const Ring& ring, std::string_view reason,
                   std::function<void(Fate)> on_over) {
  std::array<std::uint8_t, 16> raw{};
  random_.fill(raw);
  const Now at = io::ControlLoop::now();
  OutgoingMessage message;
  message.lane = ring.call.text();
  message.expiry = at.monotonic + kEventLife;
  message.on_over = std::move(on_over);
  message.request = [this, event, ring, reason = std::string(reason), at = at.wall,
                     id = "evt_" + crypto::base64url_encode(raw)](const Now& now) {
    io::OutgoingRequest request{url_, "POST", {}, {}};
    request.body = webhook_body(event, ring, reason, at, now.monotonic - ring.began);
    request.headers = {{"Content-Type", "application/json"},
                       {"User-Agent", "offhook"},
                       {"webhook-id", id},
                       {"webhook-timestamp", std::to_string(now.wall.seconds)},
                       {"webhook-signature", webhook_signature(key_, id, now.wall, request.body)}};
    return request;
  };
  return dispatch_.send(std::move(message)).has_value();
}

// One line when it stops to answer well, and one when it is back.
wake::Outcome Webhook::judge(const Dispatch::Answer& answer) {
  const bool delivered = answer && answer->status / 100 == 2;
  const bool gone = answer && (answer->status == 404 || answer->status == 410);
  if (delivered && !answers_) spdlog::info("the webhook takes events again");
  if (!delivered && answers_ && !gone) {
    const std::string what =
        answer ? "it answered with status " + std::to_string(answer->status) : answer.error().message;
    spdlog::warn("the webhook does not take an event, which is tried again for ten minutes: {}", what);
  }
  if (gone && !told_of_gone_) {
    spdlog::info(
        "the webhook answered with status {}: taken as nobody to wake, and not said again; if it is so for "
        "every "
        "call, webhook_url has a wrong path",
        answer->status);
    told_of_gone_ = true;
  }
  if (delivered || gone) {
    answers_ = true;
    return delivered ? wake::Outcome::delivered : wake::Outcome::refused;
  }
  answers_ = false;
  return wake::Outcome::failed;
}

}  // namespace offhook::service
