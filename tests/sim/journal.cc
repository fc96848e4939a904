#include "journal.h"

#include <algorithm>
#include <chrono>

namespace offhook::sim {

using std::chrono::seconds;

void Journal::keep(const call::WaitingCall& call) {
  const auto age = std::chrono::duration_cast<seconds>(call.age);
  gather({call.call.text(), Record{call, stage_.timetable.wall() + -age}});
}

void Journal::forget(const std::string& call) { gather({call, std::nullopt}); }

void Journal::gather(Change change) {
  unwritten_.push_back(std::move(change));
  if (!timer_.is_set()) timer_.set(kGather, [this] { write(); });
}

void Journal::lose_unwritten() {
  timer_.cancel();
  unwritten_.clear();
}

void Journal::write() {
  timer_.cancel();
  for (Change& change : unwritten_) {
    if (change.second) {
      file_.insert_or_assign(change.first, std::move(*change.second));
    } else {
      file_.erase(change.first);
    }
  }
  unwritten_.clear();
}

std::vector<call::WaitingCall> Journal::waiting() const {
  std::vector<call::WaitingCall> calls;
  for (const auto& [id, record] : file_) {
    calls.push_back(record.call);
    const std::int64_t age_s = stage_.timetable.wall().seconds - record.dialled_at.seconds;
    calls.back().age = seconds(std::max<std::int64_t>(0, age_s));
  }
  return calls;
}

}  // namespace offhook::sim
