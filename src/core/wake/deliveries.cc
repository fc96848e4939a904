#include "core/wake/deliveries.h"

#include <algorithm>
#include <cassert>

namespace offhook::wake {

std::optional<MessageId> Deliveries::add(std::string_view lane, Instant expiry, Instant now,
                                         DeliveryEffects& effects) {
  if (messages_.size() >= settings_.max_messages) return std::nullopt;
  const MessageId id{++last_id_};
  messages_.emplace(id, Message{std::string(lane), expiry, Stage::queued, 0});
  std::deque<MessageId>& waiting = lanes_[std::string(lane)];
  waiting.push_back(id);
  expiries_.set(id, expiry);
  if (waiting.size() == 1) ready_.push_back(id);
  start_ready(now, effects);
  return id;
}

bool Deliveries::handle_outcome(MessageId id, Outcome outcome, std::optional<Duration> asked_pause,
                                Instant now, DeliveryEffects& effects) {
  Message& message = messages_.at(id);
  assert(message.stage == Stage::under_way);
  under_way_ -= 1;
  bool is_over = true;
  if (outcome == Outcome::failed) {
    const Instant next =
        now + std::max(pause_after(message.attempts), asked_pause.value_or(Duration::zero()));
    is_over = next >= message.expiry;
    if (is_over) {
      effects.dropped.push_back({id});
    } else {
      message.stage = Stage::pausing;
      pauses_.set(id, next);
      expiries_.set(id, message.expiry);
    }
  }
  if (is_over) take_out(id);
  start_ready(now, effects);
  return is_over;
}

bool Deliveries::cancel(MessageId id, Instant now, DeliveryEffects& effects) {
  const auto found = messages_.find(id);
  if (found == messages_.end()) return true;
  if (found->second.stage == Stage::under_way) return false;
  take_out(id);
  start_ready(now, effects);
  return true;
}

void Deliveries::handle_deadlines(Instant now, DeliveryEffects& effects) {
  while (const auto id = expiries_.pop_due(now)) {
    effects.dropped.push_back({*id});
    take_out(*id);
  }
  while (const auto id = pauses_.pop_due(now)) {
    messages_.at(*id).stage = Stage::queued;
    ready_.push_back(*id);
  }
  start_ready(now, effects);
}

Instant Deliveries::next_deadline() const { return std::min(pauses_.next(), expiries_.next()); }

void Deliveries::take_out(MessageId id) {
  const auto found = messages_.find(id);
  const std::string lane = std::move(found->second.lane);
  const bool may_be_ready = found->second.stage == Stage::queued;
  pauses_.cancel(id);
  expiries_.cancel(id);
  messages_.erase(found);
  const auto waiting = lanes_.find(lane);
  const bool was_head = waiting->second.front() == id;
  if (was_head && may_be_ready) std::erase(ready_, id);
  std::erase(waiting->second, id);
  if (waiting->second.empty()) {
    lanes_.erase(waiting);
  } else if (was_head) {
    ready_.push_back(waiting->second.front());
  }
}

void Deliveries::start_ready(Instant now, DeliveryEffects& effects) {
  while (under_way_ < settings_.max_under_way && !ready_.empty()) {
    const MessageId id = ready_.front();
    ready_.pop_front();
    Message& message = messages_.at(id);
    assert(message.stage == Stage::queued);
    if (message.expiry <= now) {
      effects.dropped.push_back({id});
      take_out(id);
      continue;
    }
    message.stage = Stage::under_way;
    message.attempts += 1;
    under_way_ += 1;
    expiries_.cancel(id);
    effects.attempts.push_back({id});
  }
}

Duration Deliveries::pause_after(std::uint32_t attempts) {
  Duration pause = settings_.first_pause;
  for (std::uint32_t i = 1; i < attempts && pause < settings_.longest_pause; ++i) pause *= 2;
  pause = std::min(pause, settings_.longest_pause);
  const auto half = static_cast<std::uint64_t>(pause.count() / 2);
  return Duration(pause.count() - static_cast<std::int64_t>(random_.below(half + 1)));
}

}  // namespace offhook::wake
