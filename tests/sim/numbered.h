#pragma once
// A client's side of "Numbers and acknowledgement" of docs/protocol.md. Knows no socket and no clock.

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "messages.h"
#include "violation.h"

namespace offhook::sim {

class NumberedStream {
 public:
  struct Pending {
    std::uint64_t seq = 0;
    ClientMessage message;
    bool was_written = false;
    Instant written_at{};  // last
  };

  static constexpr std::size_t kMaxPending = 512;
  static constexpr std::size_t kAckEvery = 16;

  std::uint64_t processed() const { return processed_; }
  std::size_t owed() const { return owed_; }
  const std::deque<Pending>& pending() const { return pending_; }
  // What a number was that the server has refused.
  const ClientMessage* sent(std::uint64_t seq) const {
    const auto found = sent_.find(seq);
    return found == sent_.end() ? nullptr : &found->second;
  }

  // False if too many wait already.
  bool push(ClientMessage message) {
    if (pending_.size() >= kMaxPending) return false;
    const std::uint64_t seq = ++last_;
    if (message.kind == Kind::dial || message.kind == Kind::take || message.kind == Kind::offer ||
        message.kind == Kind::connected) {
      sent_[seq] = {message.kind, message.call, message.generation, message.fresh, ""};
    }
    pending_.push_back({seq, std::move(message), false, {}});
    return true;
  }

  std::vector<std::string> take_unwritten(Instant now) {
    std::vector<std::string> frames;
    for (Pending& entry : pending_) {
      if (!entry.was_written) frames.push_back(frame(entry, now));
    }
    return frames;
  }
  // After a resume: everything above the server's `ack`, with the numbers it had. A clumsy client looks at
  // the `ack` afterwards.
  std::vector<std::string> replay(std::uint64_t ack, bool is_clumsy, Instant now) {
    if (!is_clumsy) handle_ack(ack);
    std::vector<std::string> frames;
    for (Pending& entry : pending_) frames.push_back(frame(entry, now));
    handle_ack(ack);
    return frames;
  }

  void handle_ack(std::uint64_t ack) {
    require(ack <= last_, "the server acknowledges what was sent", std::to_string(ack));
    while (!pending_.empty() && pending_.front().seq <= ack) pending_.pop_front();
  }

  // True if it is to be processed: the first of its number.
  bool handle_number(std::uint64_t seq, const std::string& text) {
    owed_ += 1;
    if (seq <= processed_) return false;
    // A socket keeps the order, so a number that is ahead means that the server has left one out.
    require(seq == processed_ + 1, "no message is lost", text);
    processed_ += 1;
    return true;
  }
  void acknowledged() { owed_ = 0; }

  // A new session, whose server is told of all calls in another way.
  void clear() { *this = NumberedStream(); }
  // A new session. Calls whose dial was never written are untouched by the loss, and keep their messages.
  std::set<std::string> restart() {
    std::set<std::string> kept;
    for (const Pending& entry : pending_) {
      if (entry.message.kind == Kind::dial && !entry.was_written) kept.insert(entry.message.call);
    }
    const std::deque<Pending> before = pending_;
    *this = NumberedStream();
    for (const Pending& entry : before) {
      if (kept.contains(entry.message.call)) (void)push(entry.message);
    }
    return kept;
  }

 private:
  std::string frame(Pending& entry, Instant now) {
    entry.was_written = true;
    entry.written_at = now;
    owed_ = 0;
    return "{\"seq\":" + std::to_string(entry.seq) + ",\"ack\":" + std::to_string(processed_) + "," +
           entry.message.members;
  }

  std::uint64_t last_ = 0;
  std::deque<Pending> pending_;
  std::uint64_t processed_ = 0;
  std::size_t owed_ = 0;
  std::map<std::uint64_t, ClientMessage> sent_;
};

}  // namespace offhook::sim
