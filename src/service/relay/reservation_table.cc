#include "service/relay/reservation_table.h"

#include <utility>

namespace offhook::relay {

bool ReservationTable::hold(const turn::ReservationToken& token, LeasedSocket reserved) {
  const std::scoped_lock lock(mutex_);
  if (reserved_by_token_.size() >= kReservationsLimit || reserved_by_token_.contains(token)) return false;
  const std::uint64_t label = next_label_++;
  if (!sockets_.push(label, std::move(reserved.socket))) return false;
  reserved_by_token_.emplace(token, Reserved{std::move(reserved.lease), label});
  return true;
}

std::optional<LeasedSocket> ReservationTable::claim(const turn::ReservationToken& token) {
  const std::scoped_lock lock(mutex_);
  auto wanted = reserved_by_token_.extract(token);
  if (wanted.empty()) return std::nullopt;
  // The older ones go to the queue's end. Most reservations run out unclaimed, in the order in which they
  // were made: theirs is then the first.
  for (std::size_t older = reserved_by_token_.size() + 1; older > 0; --older) {
    auto next = sockets_.pop();
    if (!next) return std::nullopt;
    if (next->label != wanted.mapped().label) {
      pass_over(std::move(*next));
      continue;
    }
    if (!next->descriptor) return std::nullopt;
    return LeasedSocket(std::move(wanted.mapped().lease), std::move(next->descriptor));
  }
  return std::nullopt;
}

void ReservationTable::pass_over(io::DescriptorQueue::Labelled older) {
  if (older.descriptor && sockets_.push(older.label, std::move(older.descriptor))) return;
  std::erase_if(reserved_by_token_, [&](const auto& entry) { return entry.second.label == older.label; });
}

}  // namespace offhook::relay
