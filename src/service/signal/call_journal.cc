#include "service/signal/call_journal.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/warm_path.h"

namespace offhook::service {
namespace {

// Nothing if the record is none of ours: somebody has edited the file.
std::optional<call::WaitingCall> waiting_call(const io::JournalRecord& record, UnixTime now) {
  const auto id = signal::CallId::parse(record.call);
  const auto warm_path = parse_warm_path(record.warm_path);
  const bool good = id && warm_path && signal::is_user(record.caller) && signal::is_user(record.callee);
  if (!good) return std::nullopt;
  // A clock that has been set back makes nothing younger than new.
  const std::chrono::seconds age(std::max<std::int64_t>(0, now.seconds - record.dialled_at.seconds));
  return call::WaitingCall{*id, record.caller, record.callee, {record.audio, record.video}, *warm_path, age};
}

}  // namespace

CallJournal::CallJournal(const std::string& path) {
  if (path.empty()) return;
  auto opened = io::Journal::open(path, [](const std::string& problem) {
    spdlog::warn(
        "the journal cannot be written: {}; calls that ring now, and blocks of now, may be lost with the "
        "process",
        problem);
  });
  if (!opened) {
    spdlog::warn("no journal: {}; calls that ring, and blocks, are lost with the process",
                 opened.error().message);
    return;
  }
  if (!opened->note.empty()) spdlog::warn("{}", opened->note);
  journal_ = std::move(opened->journal);
  left_ = std::move(opened->records);
  left_blocks_ = std::move(opened->blocks);
}

std::vector<call::WaitingCall> CallJournal::take_waiting(UnixTime now) {
  std::vector<call::WaitingCall> waiting;
  for (const io::JournalRecord& record : std::exchange(left_, {})) {
    if (auto call = waiting_call(record, now)) {
      waiting.push_back(std::move(*call));
    } else {
      journal_->erase(record.call);
    }
  }
  return waiting;
}

void CallJournal::keep(const call::WaitingCall& call, UnixTime now) {
  if (!journal_) return;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(call.age);
  journal_->put({call.call.text(), call.caller, call.callee, call.media.audio, call.media.video,
                 std::string(name(call.warm_path)), now + -age});
}

void CallJournal::forget(const signal::CallId& call) {
  if (journal_) journal_->erase(call.text());
}

std::vector<call::UserBlock> CallJournal::take_blocks() {
  std::vector<call::UserBlock> blocks;
  for (io::BlockRecord& record : left_blocks_) {
    const bool good = signal::is_user(record.by) && signal::is_user(record.of) && record.by != record.of;
    if (good) {
      blocks.push_back({std::move(record.by), std::move(record.of)});
    } else {
      journal_->erase_block(std::move(record));
    }
  }
  left_blocks_.clear();
  return blocks;
}

void CallJournal::keep(const call::UserBlock& block) {
  if (journal_) journal_->put_block({block.by, block.of});
}

void CallJournal::forget(const call::UserBlock& block) {
  if (journal_) journal_->erase_block({block.by, block.of});
}

}  // namespace offhook::service
