#pragma once
// The records of calls that are over, in memory: the youngest ones, up to a limit.

#include <cstdint>
#include <map>
#include <unordered_map>

#include "core/call/record.h"

namespace offhook::call {

class Records {
 public:
  explicit Records(std::size_t limit) : limit_(limit) {}

  // Forgets the oldest dials beyond the limit.
  void add(CallRecord record);
  // The last call of this id; nullptr if there is none.
  const CallRecord* find(const signal::CallId& id) const;
  // Of the calls dialled before that of this serial the last; nullptr if there is none.
  const CallRecord* last_before(std::uint64_t serial) const;
  std::size_t size() const { return record_by_serial_.size(); }

 private:
  void forget_oldest();

  std::size_t limit_;
  std::map<std::uint64_t, CallRecord> record_by_serial_;
  std::unordered_map<std::string, std::uint64_t> serial_by_id_;
};

}  // namespace offhook::call
