#include "core/call/records.h"

#include <iterator>
#include <utility>

namespace offhook::call {

void Records::add(CallRecord record) {
  if (limit_ == 0) return;
  const std::uint64_t serial = record.serial;
  serial_by_id_.insert_or_assign(record.call.text(), serial);
  record_by_serial_.emplace(serial, std::move(record));
  if (record_by_serial_.size() > limit_) forget_oldest();
}

void Records::forget_oldest() {
  const auto oldest = record_by_serial_.begin();
  const auto named = serial_by_id_.find(oldest->second.call.text());
  if (named != serial_by_id_.end() && named->second == oldest->first) serial_by_id_.erase(named);
  record_by_serial_.erase(oldest);
}

const CallRecord* Records::find(const signal::CallId& id) const {
  const auto named = serial_by_id_.find(id.text());
  return named == serial_by_id_.end() ? nullptr : &record_by_serial_.at(named->second);
}

const CallRecord* Records::last_before(std::uint64_t serial) const {
  const auto at = record_by_serial_.lower_bound(serial);
  return at == record_by_serial_.begin() ? nullptr : &std::prev(at)->second;
}

}  // namespace offhook::call
