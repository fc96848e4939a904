#pragma once
// What outlives the process: the calls that nobody has accepted, and who has blocked whom, in one SQLite file
// of the state directory.
// Written behind, by a thread of its own: whoever has something to keep never waits for the disk. What a
// killed process had not written yet is lost, so nobody may rely on the last moment.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/store/private_file.h"

namespace offhook::io {

struct JournalRecord {
  std::string call;  // the key
  std::string caller;
  std::string callee;
  bool audio = false;
  bool video = false;
  std::string warm_path;
  UnixTime dialled_at;
};

struct BlockRecord {
  std::string by;  // this user wants no calls with
  std::string of;  // this one; both are the key
};

class Journal {
 public:
  // Changes that may wait for the disk: seconds of the busiest server. Beyond it a change is lost; a record
  // that stays for that is one of a call that has ended, and its age tells so.
  static constexpr std::size_t kWaitingLimit = 65'536;
  // Blocks have no age: so many changes of theirs have room where none is left for calls.
  static constexpr std::size_t kWaitingBlocksLimit = 65'536;

  struct Opened {
    std::unique_ptr<Journal> journal;
    std::vector<JournalRecord> records;  // as the process before this one has left them
    std::vector<BlockRecord> blocks;     // likewise
    std::string note;                    // what the operator should hear of it; empty: nothing
  };
  // Creates the file, readable by its owner alone, if there is none. One that is damaged, or of another
  // version, is moved aside and said in `note`. `on_problem` hears, on the journal's own thread, of a disk
  // that does not take what it should; once until it does again.
  static Result<Opened, FileError> open(const std::string& path,
                                        std::function<void(const std::string&)> on_problem);
  // Writes what waits.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void put(JournalRecord record);
  void erase(std::string call);
  void put_block(BlockRecord block);
  void erase_block(BlockRecord block);
  // Waits until everything before it is in the file.
  void flush();

 private:
  class Writer;
  explicit Journal(std::unique_ptr<Writer> writer);
  std::unique_ptr<Writer> writer_;
};

}  // namespace offhook::io
