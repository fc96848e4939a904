#include "io/store/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "io/store/database.h"

namespace offhook::io {
namespace {

// Counts the shapes that the file has had: 1 had no blocks.
constexpr std::int64_t kVersion = 2;
constexpr std::int64_t kVersionWithoutBlocks = 1;

constexpr const char* kCallTable =
    "CREATE TABLE waiting_call (call TEXT PRIMARY KEY, caller TEXT NOT NULL, callee TEXT NOT NULL,"
    " audio INTEGER NOT NULL, video INTEGER NOT NULL, warm_path TEXT NOT NULL,"
    " dialled_at_s INTEGER NOT NULL) WITHOUT ROWID";

// Said again by a process that comes after one that died within it.
constexpr const char* kBlockTable =
    "CREATE TABLE IF NOT EXISTS user_block (by_user TEXT NOT NULL, of_user TEXT NOT NULL,"
    " PRIMARY KEY (by_user, of_user)) WITHOUT ROWID; PRAGMA user_version = 2;";

// Changes of this long are written together: a transaction costs as much as a hundred of them, and who has
// died within this time is not missed.
constexpr std::chrono::milliseconds kGather{20};

// In WAL mode a process that dies leaves what it has written, and NORMAL waits for the disk only when the log
// is folded into the file.
constexpr const char* kModes = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";

struct Erase {
  std::string call;
};
struct EraseBlock {
  BlockRecord block;
};
using Change = std::variant<JournalRecord, Erase, BlockRecord, EraseBlock>;

bool is_of_a_call(const Change& change) {
  return std::holds_alternative<JournalRecord>(change) || std::holds_alternative<Erase>(change);
}

// SQLite creates files with the process's mask; this one is its owner's alone, and its log follows it.
Result<void, FileError> create_private(const std::string& path) {
  if (file_exists(path)) return {};
  return write_private_file(path, "");
}

FileError as_file_error(const std::string& path, const DatabaseError& error) {
  return {path, EIO, path + ": " + error.message};
}

// The file has another shape than this version writes, or none at all.
bool is_unusable(const DatabaseError& error) {
  return error.code == SQLITE_CORRUPT || error.code == SQLITE_NOTADB || error.code == SQLITE_ERROR ||
         error.code == SQLITE_FORMAT;
}

Result<void, DatabaseError> check_whole(Database& database) {
  // One row, "ok", if the file is.
  auto check = database.prepare("PRAGMA quick_check(1)");
  if (!check) return fail(check.error());
  const auto row = check->step();
  if (!row) return fail(row.error());
  if (check->text(0) != "ok") return fail(DatabaseError{SQLITE_CORRUPT, check->text(0)});
  return {};
}

Result<void, DatabaseError> prepare_tables(Database& database) {
  if (auto set = database.run(kModes); !set) return set;
  const auto version = database.number("PRAGMA user_version");
  if (!version) return fail(version.error());
  if (*version == kVersion) return check_whole(database);
  if (*version == kVersionWithoutBlocks) {
    if (auto whole = check_whole(database); !whole) return whole;
    return database.run(kBlockTable);
  }
  const auto tables = database.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(tables.error());
  if (*version == 0 && *tables == 0) {
    if (auto made = database.run(kCallTable); !made) return made;
    return database.run(kBlockTable);
  }
  return fail(DatabaseError{SQLITE_FORMAT, "it is of version " + std::to_string(*version) +
                                               ", and this offhook writes version " +
                                               std::to_string(kVersion)});
}

Result<std::vector<JournalRecord>, DatabaseError> read_records(Database& database) {
  auto rows = database.prepare(
      "SELECT call, caller, callee, audio, video, warm_path, dialled_at_s FROM waiting_call"
      " ORDER BY dialled_at_s");
  if (!rows) return fail(rows.error());
  std::vector<JournalRecord> records;
  for (;;) {
    const auto row = rows->step();
    if (!row) return fail(row.error());
    if (!*row) return records;
    records.push_back({rows->text(0), rows->text(1), rows->text(2), rows->number(3) != 0,
                       rows->number(4) != 0, rows->text(5), UnixTime{rows->number(6)}});
  }
}

Result<std::vector<BlockRecord>, DatabaseError> read_blocks(Database& database) {
  auto rows = database.prepare("SELECT by_user, of_user FROM user_block");
  if (!rows) return fail(rows.error());
  std::vector<BlockRecord> blocks;
  for (;;) {
    const auto row = rows->step();
    if (!row) return fail(row.error());
    if (!*row) return blocks;
    blocks.push_back({rows->text(0), rows->text(1)});
  }
}

struct Loaded {
  Database database;
  std::vector<JournalRecord> records;
  std::vector<BlockRecord> blocks;
};
Result<Loaded, DatabaseError> load(const std::string& path) {
  auto database = Database::open(path);
  if (!database) return fail(database.error());
  if (const auto prepared = prepare_tables(*database); !prepared) return fail(prepared.error());
  auto records = read_records(*database);
  if (!records) return fail(records.error());
  auto blocks = read_blocks(*database);
  if (!blocks) return fail(blocks.error());
  return Loaded{std::move(*database), std::move(*records), std::move(*blocks)};
}

struct Statements {
  Statement put;
  Statement erase;
  Statement put_block;
  Statement erase_block;
};
Result<Statements, DatabaseError> prepare_statements(Database& database) {
  auto put = database.prepare("INSERT OR REPLACE INTO waiting_call VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (!put) return fail(put.error());
  auto erase = database.prepare("DELETE FROM waiting_call WHERE call = ?");
  if (!erase) return fail(erase.error());
  auto put_block = database.prepare("INSERT OR REPLACE INTO user_block VALUES (?, ?)");
  if (!put_block) return fail(put_block.error());
  auto erase_block = database.prepare("DELETE FROM user_block WHERE by_user = ? AND of_user = ?");
  if (!erase_block) return fail(erase_block.error());
  return Statements{std::move(*put), std::move(*erase), std::move(*put_block), std::move(*erase_block)};
}

Result<void, FileError> move_aside(const std::string& path, const std::string& aside) {
  for (const char* companion : {"-wal", "-shm"}) {
    const std::string file = path + companion;
    if (file_exists(file) && unlink(file.c_str()) != 0)
      return fail(FileError{file, errno, "cannot remove " + file + ": " + std::strerror(errno)});
  }
  if (std::rename(path.c_str(), aside.c_str()) == 0) return {};
  return fail(FileError{path, errno, "cannot move " + path + " aside: " + std::strerror(errno)});
}

}  // namespace

class Journal::Writer {
 public:
  Writer(Database database, Statements statements, std::function<void(const std::string&)> on_problem)
      : database_(std::move(database)),
        statements_(std::move(statements)),
        on_problem_(std::move(on_problem)),
        thread_([this] { run(); }) {}

  ~Writer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void add(Change change) {
    {
      const std::lock_guard lock(mutex_);
      const std::size_t limit = kWaitingLimit + (is_of_a_call(change) ? 0 : kWaitingBlocksLimit);
      if (waiting_.size() >= limit) return;
      waiting_.push_back(std::move(change));
      if (waiting_.size() > 1) return;  // the writer has been told already
    }
    changed_.notify_all();
  }

  void flush() {
    std::unique_lock lock(mutex_);
    flushes_ += 1;
    changed_.notify_all();
    changed_.wait(lock, [this] { return waiting_.empty() && !writing_; });
    flushes_ -= 1;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      changed_.wait_for(lock, kGather, [this] { return stopping_ || flushes_ > 0; });
      const std::vector<Change> batch = std::exchange(waiting_, {});
      writing_ = true;
      lock.unlock();
      report(write(batch));
      lock.lock();
      writing_ = false;
      changed_.notify_all();
    }
  }

  Result<void, DatabaseError> write(const std::vector<Change>& batch) {
    if (auto begun = database_.run("BEGIN"); !begun) return begun;
    for (const Change& change : batch) {
      auto done = std::visit([this](const auto& one) { return carry_out(one); }, change);
      if (done) continue;
      // What is in it would only be half of it; the error is the one before.
      (void)database_.run("ROLLBACK");
      return done;
    }
    return database_.run("COMMIT");
  }

  Result<void, DatabaseError> carry_out(const JournalRecord& record) {
    Statement& put = statements_.put;
    put.bind(1, record.call);
    put.bind(2, record.caller);
    put.bind(3, record.callee);
    put.bind(4, std::int64_t{record.audio});
    put.bind(5, std::int64_t{record.video});
    put.bind(6, record.warm_path);
    put.bind(7, record.dialled_at.seconds);
    return finish(put);
  }

  Result<void, DatabaseError> carry_out(const Erase& gone) {
    statements_.erase.bind(1, gone.call);
    return finish(statements_.erase);
  }

  Result<void, DatabaseError> carry_out(const BlockRecord& block) {
    statements_.put_block.bind(1, block.by);
    statements_.put_block.bind(2, block.of);
    return finish(statements_.put_block);
  }

  Result<void, DatabaseError> carry_out(const EraseBlock& gone) {
    statements_.erase_block.bind(1, gone.block.by);
    statements_.erase_block.bind(2, gone.block.of);
    return finish(statements_.erase_block);
  }

  static Result<void, DatabaseError> finish(Statement& statement) {
    const auto done = statement.step();
    statement.reset();
    if (!done) return fail(done.error());
    return {};
  }

  void report(const Result<void, DatabaseError>& written) {
    if (!written && !ailing_) on_problem_(written.error().message);
    ailing_ = !written;
  }

  Database database_;
  Statements statements_;
  const std::function<void(const std::string&)> on_problem_;
  bool ailing_ = false;  // of the thread alone

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Change> waiting_;
  std::size_t flushes_ = 0;  // that wait
  bool writing_ = false;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

Result<Journal::Opened, FileError> Journal::open(const std::string& path,
                                                 std::function<void(const std::string&)> on_problem) {
  if (auto made = create_private(path); !made) return fail(made.error());
  Opened opened;
  auto loaded = load(path);
  if (!loaded && is_unusable(loaded.error())) {
    const std::string aside = path + ".aside";
    opened.note = path + " cannot be used (" + loaded.error().message + "); it is now " + aside +
                  ": blocks are forgotten, and calls that rang before this start ring again only if their "
                  "callers are back";
    if (auto moved = move_aside(path, aside); !moved) return fail(moved.error());
    if (auto made = create_private(path); !made) return fail(made.error());
    loaded = load(path);
  }
  if (!loaded) return fail(as_file_error(path, loaded.error()));
  auto statements = prepare_statements(loaded->database);
  if (!statements) return fail(as_file_error(path, statements.error()));
  opened.records = std::move(loaded->records);
  opened.blocks = std::move(loaded->blocks);
  opened.journal.reset(new Journal(
      std::make_unique<Writer>(std::move(loaded->database), std::move(*statements), std::move(on_problem))));
  return opened;
}

Journal::Journal(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
Journal::~Journal() = default;

void Journal::put(JournalRecord record) { writer_->add(std::move(record)); }
void Journal::erase(std::string call) { writer_->add(Erase{std::move(call)}); }
void Journal::put_block(BlockRecord block) { writer_->add(std::move(block)); }
void Journal::erase_block(BlockRecord block) { writer_->add(EraseBlock{std::move(block)}); }
void Journal::flush() { writer_->flush(); }

}  // namespace offhook::io
