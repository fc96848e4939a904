#include "service/wake/push_sender.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>

#include "base/public_ip.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "wire/json/json.h"
#include "wire/push/vapid.h"

namespace offhook::service {
namespace {

// A token is for one request; an hour is room for the clocks of two machines (a day is the most, RFC 8292
// section 2).
constexpr std::chrono::seconds kVapidLife{3600};
// That a ring is over still matters to a browser that was away for a moment.
constexpr std::chrono::seconds kOverLifeLeast{60};
constexpr std::size_t kTopicLetters = 32;  // the most that RFC 8030 section 5.4 allows

wake::DeliverySettings delivery_settings() {
  wake::DeliverySettings settings;
  settings.max_under_way = 64;  // a slow endpoint holds one place at a time for each of its calls
  return settings;
}

io::HttpClientSettings client_settings(EndpointPolicy policy) {
  io::HttpClientSettings settings;
  // Users choose the endpoints, so they must not reach what only this machine can.
  if (policy == EndpointPolicy::public_only) settings.may_connect = is_public;
  return settings;
}

std::int64_t milliseconds(Duration span) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

}  // namespace

std::string ring_text(const Ring& ring, Duration age) {
  json::Writer out;
  out.begin_object().field("type", "ring").field("call", ring.call.text());
  out.field("from", ring.caller).field("to", ring.callee).key("media").begin_object();
  out.field("audio", ring.media.audio).field("video", ring.media.video).end_object();
  out.field("age_ms", milliseconds(age)).field("ring_timeout_ms", milliseconds(ring.ring_timeout));
  out.end_object();
  return out.take();
}

std::string over_text(const Ring& ring, std::string_view reason) {
  json::Writer out;
  out.begin_object().field("type", "over").field("call", ring.call.text());
  out.field("from", ring.caller).field("to", ring.callee).field("reason", reason).end_object();
  return out.take();
}

std::string push_topic(const Ring& ring) {
  return crypto::base64url_encode(crypto::sha256(as_bytes(ring.call.text()))).substr(0, kTopicLetters);
}

PushSender::PushSender(io::ControlLoop& loop, crypto::P256Key key, std::string contact, EndpointPolicy policy,
                       io::TlsContext tls, Random& random)
    : key_(std::move(key)),
      contact_(std::move(contact)),
      random_(random),
      dispatch_(
          "push", loop, delivery_settings(), client_settings(policy), std::move(tls), random,
          [this](const Dispatch::Answer& answer, const io::HttpUrl& url) { return judge(answer, url); }) {}

std::optional<wake::MessageId> PushSender::send_ring(const Ring& ring, const Subscription& to,
                                                     std::function<void(Fate)> on_over) {
  const auto text = [ring](const Now& now) { return ring_text(ring, now.monotonic - ring.began); };
  return send(ring, to, ring.rings_until(), text, std::move(on_over));
}

void PushSender::send_over(const Ring& ring, const Subscription& to, std::string_view reason) {
  const Instant least = io::ControlLoop::now().monotonic + kOverLifeLeast;
  const auto text = [said = over_text(ring, reason)](const Now&) { return said; };
  (void)send(ring, to, std::max(ring.rings_until(), least), text, {});  // counted if there is no room
}

std::optional<wake::MessageId> PushSender::send(const Ring& ring, const Subscription& to, Instant expiry,
                                                std::function<std::string(const Now&)> text,
                                                std::function<void(Fate)> on_over) {
  OutgoingMessage message;
  message.lane = ring.call.text() + " " + to.endpoint;
  message.expiry = expiry;
  message.on_over = std::move(on_over);
  message.request = [this, to, expiry, text = std::move(text), topic = push_topic(ring)](const Now& now) {
    const auto life = std::chrono::ceil<std::chrono::seconds>(expiry - now.monotonic);
    return request(to, text(now), topic, life, now);
  };
  return dispatch_.send(std::move(message));
}

io::OutgoingRequest PushSender::request(const Subscription& to, std::string_view text, std::string_view topic,
                                        std::chrono::seconds life, const Now& now) {
  push::Salt salt{};
  random_.fill(salt);
  const std::string origin = to.url.origin();
  const Buffer body = push::encrypt(as_bytes(text), to.recipient, crypto::P256Key::generate(random_), salt);
  io::OutgoingRequest request{to.url, "POST", {}, to_string(body)};
  request.headers = {
      {"Authorization", push::vapid_authorization(key_, {origin, now.wall + kVapidLife, contact_})},
      {"Content-Encoding", "aes128gcm"},
      {"Content-Type", "application/octet-stream"},
      {"TTL", std::to_string(life.count())},
      {"Urgency", "high"},
      {"Topic", std::string(topic)}};
  return request;
}

wake::Outcome PushSender::judge(const Dispatch::Answer& answer, const io::HttpUrl& url) {
  if (!answer) {
    warn(url, answer.error().message);
    return answer.error().fault == io::RequestFault::not_permitted ? wake::Outcome::refused
                                                                   : wake::Outcome::failed;
  }
  const unsigned status = answer->status;
  if (status / 100 == 2) return wake::Outcome::delivered;
  if (status == 404 || status == 410) return wake::Outcome::refused;
  warn(url, "it answered with status " + std::to_string(status));
  const bool is_for_now = status == 408 || status == 425 || status == 429 || status / 100 == 5;
  return is_for_now ? wake::Outcome::failed : wake::Outcome::refused;
}

// Never the endpoint itself: whoever knows it can push. Any user can have one that fails.
void PushSender::warn(const io::HttpUrl& url, std::string_view what) {
  const auto left_out = pace_.take(io::ControlLoop::now().monotonic);
  if (left_out)
    spdlog::warn("push to {}: {} (and {} more failures since the last line)", url.host, what, *left_out);
}

std::string PushSender::application_server_key() const { return push::application_server_key(key_); }

}  // namespace offhook::service
