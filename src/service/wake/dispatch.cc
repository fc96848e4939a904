#include "service/wake/dispatch.h"

#include <spdlog/spdlog.h>

#include <charconv>
#include <utility>

namespace offhook::service {
namespace {

// What a Retry-After may ask for (RFC 9110 section 10.2.3, in seconds alone); more is ours to decide.
constexpr std::int64_t kAskedPauseLimitSeconds = 3600;

std::optional<Duration> asked_pause(const Dispatch::Answer& answer) {
  if (!answer) return std::nullopt;
  const std::string& text = answer->retry_after;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (seconds < 0 || seconds > kAskedPauseLimitSeconds) return std::nullopt;
  return std::chrono::seconds(seconds);
}

bool is_gone(const Dispatch::Answer& answer) {
  return answer && (answer->status == 404 || answer->status == 410);
}

}  // namespace

Dispatch::Dispatch(std::string name, io::ControlLoop& loop, const wake::DeliverySettings& deliveries,
                   io::HttpClientSettings client, io::TlsContext tls, Random& random, Judge judge)
    : name_(std::move(name)),
      judge_(std::move(judge)),
      deliveries_(deliveries, random),
      client_(loop, std::move(client), std::move(tls)),
      timer_(loop, [this] {
        wake::DeliveryEffects effects;
        deliveries_.handle_deadlines(io::ControlLoop::now().monotonic, effects);
        carry_out(std::move(effects));
      }) {}

std::optional<wake::MessageId> Dispatch::send(OutgoingMessage message) {
  wake::DeliveryEffects effects;
  const auto id = deliveries_.add(message.lane, message.expiry, io::ControlLoop::now().monotonic, effects);
  if (!id) {
    counters_.queue_full += 1;
    const auto left_out = pace_.take(io::ControlLoop::now().monotonic);
    if (left_out) {
      spdlog::warn("{}: {} messages wait already, so this one is dropped (and {} more since the last line)",
                   name_, deliveries_.size(), *left_out);
    }
    return std::nullopt;
  }
  counters_.accepted += 1;
  kept_.emplace(*id, Kept{std::move(message.request), std::move(message.on_over)});
  carry_out(std::move(effects));
  return id;
}

void Dispatch::take_back(wake::MessageId message) {
  wake::DeliveryEffects effects;
  if (!kept_.contains(message)) return;
  const bool taken = deliveries_.cancel(message, io::ControlLoop::now().monotonic, effects);
  if (taken) effects.dropped.push_back({message});
  carry_out(std::move(effects));
}

DispatchCounters Dispatch::counters() const {
  DispatchCounters counters = counters_;
  counters.waiting = deliveries_.size();
  return counters;
}

void Dispatch::carry_out(wake::DeliveryEffects effects) {
  for (const wake::Attempt& one : effects.attempts) attempt(one.message);
  timer_.set(deliveries_.next_deadline());
  for (const wake::Dropped& one : effects.dropped) finish(one.message, Fate::dropped);
}

void Dispatch::attempt(wake::MessageId message) {
  counters_.attempts += 1;
  io::OutgoingRequest request = kept_.at(message).request(io::ControlLoop::now());
  io::HttpUrl url = request.url;
  client_.send(std::move(request), [this, message, url = std::move(url)](const Answer& answer) {
    handle_answer(message, url, answer);
  });
}

void Dispatch::handle_answer(wake::MessageId message, const io::HttpUrl& url, const Answer& answer) {
  const wake::Outcome outcome = judge_(answer, url);
  counters_.failed_attempts += outcome == wake::Outcome::failed ? 1 : 0;
  wake::DeliveryEffects effects;
  (void)deliveries_.handle_outcome(message, outcome, asked_pause(answer), io::ControlLoop::now().monotonic,
                                   effects);
  carry_out(std::move(effects));
  switch (outcome) {
    case wake::Outcome::delivered:
      return finish(message, Fate::delivered);
    case wake::Outcome::refused:
      return finish(message, is_gone(answer) ? Fate::gone : Fate::refused);
    case wake::Outcome::failed:
      return;
  }
}

void Dispatch::finish(wake::MessageId message, Fate fate) {
  switch (fate) {
    case Fate::delivered:
      counters_.delivered += 1;
      break;
    case Fate::refused:
    case Fate::gone:
      counters_.refused += 1;
      break;
    case Fate::dropped:
      counters_.dropped += 1;
      break;
  }
  const auto kept = kept_.extract(message);
  if (kept.mapped().on_over) kept.mapped().on_over(fate);
}

}  // namespace offhook::service
