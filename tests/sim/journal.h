#pragma once
// The server's journal of calls that wait (io/store/journal.h, service/signal/call_journal.h) as a model: it
// is written behind, so that a crash loses the last moment, and it knows the time by the calendar, in whole
// seconds.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/call/effects.h"
#include "stage.h"

namespace offhook::sim {

class Journal {
 public:
  // What has come so long ago is in the file.
  static constexpr Duration kGather = std::chrono::milliseconds(20);

  explicit Journal(Stage& stage) : stage_(stage), timer_(stage.timetable) {}

  void keep(const call::WaitingCall& call);
  void forget(const std::string& call);
  // The process is killed: what was not written is lost.
  void lose_unwritten();
  // The process stops in good order.
  void write();

  // What the next process finds.
  std::vector<call::WaitingCall> waiting() const;
  bool is_empty() const { return file_.empty(); }

 private:
  struct Record {
    call::WaitingCall call;
    UnixTime dialled_at;
  };
  using Change = std::pair<std::string, std::optional<Record>>;  // nothing: it is forgotten

  void gather(Change change);

  Stage& stage_;
  std::map<std::string, Record> file_;
  std::vector<Change> unwritten_;
  Timer timer_;
};

}  // namespace offhook::sim
