#pragma once
// The calls that wait for an accept, and who has blocked whom, kept for the process after this one. The
// journal knows when calls were dialled by the calendar, the call core how old they are; the calendar's jumps
// end here.

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/call/effects.h"
#include "io/store/journal.h"

namespace offhook::service {

class CallJournal {
 public:
  // `path` empty: nothing is kept. A journal that cannot be used is said in the log, and nothing is kept.
  explicit CallJournal(const std::string& path);

  // What the process before this one has left.
  std::vector<call::WaitingCall> take_waiting(UnixTime now);
  void keep(const call::WaitingCall& call, UnixTime now);
  void forget(const signal::CallId& call);

  // What the process before this one has left.
  std::vector<call::UserBlock> take_blocks();
  void keep(const call::UserBlock& block);
  void forget(const call::UserBlock& block);

 private:
  std::unique_ptr<io::Journal> journal_;
  std::vector<io::JournalRecord> left_;
  std::vector<io::BlockRecord> left_blocks_;
};

}  // namespace offhook::service
