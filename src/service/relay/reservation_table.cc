#include "service/relay/reservation_table.h"

#include <utility>

namespace offhook::relay {

bool ReservationTable::hold(const turn::ReservationToken& token, LeasedSocket reserved) {
  const std::scoped_lock lock(mutex_);
  if (reserved_by_token_.size() >= kReservationsLimit) return false;
  return reserved_by_token_.try_emplace(token, std::move(reserved)).second;
}

std::optional<LeasedSocket> ReservationTable::claim(const turn::ReservationToken& token) {
  const std::scoped_lock lock(mutex_);
  auto node = reserved_by_token_.extract(token);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

}  // namespace offhook::relay
