#include "session_ledger.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "core/call/server.h"

namespace offhook::sim {
namespace {

constexpr std::uint16_t kCloseNormal = 1000;

// Takes `"key":N,` off the front.
std::optional<std::uint64_t> take_number(std::string_view& text, std::string_view key) {
  if (!text.starts_with(key)) return std::nullopt;
  std::uint64_t number = 0;
  const char* begin = text.data() + key.size();
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(",")) text.remove_prefix(1);
  return number;
}

std::string_view value_of(std::string_view frame, std::string_view key) {
  const std::size_t at = frame.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = frame.substr(at + key.size());
  return rest.substr(0, rest.find_first_of(",\"}"));
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

FrameHead head_of(std::string_view frame) {
  FrameHead head;
  head.body = frame.substr(1);
  if (head.body.starts_with(R"("type":"ack",)")) {
    head.body.remove_prefix(13);
    head.ack = take_number(head.body, R"("ack":)");
    return head;
  }
  head.seq = take_number(head.body, R"("seq":)");
  if (!head.seq) return head;
  head.ack = take_number(head.body, R"("ack":)");
  (void)take_number(head.body, R"("age_ms":)");
  return head;
}

std::string SessionLedger::text_of(Outcome outcome) const {
  switch (outcome) {
    case Outcome::opened:
      return "a new session";
    case Outcome::resumed:
      return "resumed";
    case Outcome::refused:
      return "refused as late";
    case Outcome::full:
      return "refused for too many sessions";
  }
  return {};
}

bool SessionLedger::is_crowded(std::string_view user) const {
  return sessions_of(user) >= settings_.max_sessions_per_user;
}

std::size_t SessionLedger::devices_of(std::string_view user) const {
  const auto count = std::count_if(sessions_.begin(), sessions_.end(),
                                   [&](const auto& entry) { return entry.second.user == user; });
  return static_cast<std::size_t>(count);
}

std::size_t SessionLedger::sessions_of(std::string_view user) const {
  const auto places = std::count_if(stand_ins_.begin(), stand_ins_.end(),
                                    [&](const auto& entry) { return entry.second.user == user; });
  return devices_of(user) + static_cast<std::size_t>(places);
}

std::vector<SessionLedger::Outcome> SessionLedger::outcomes(const std::optional<signal::Resume>& resume,
                                                            std::string_view user) {
  std::vector<Outcome> anew = {Outcome::opened};
  if (is_crowded(user)) anew.push_back(Outcome::full);
  if (!resume) return anew;
  const auto found = sessions_.find(resume->session);
  if (found == sessions_.end() || found->second.user != user ||
      found->second.resume_token != resume->resume_token.reveal()) {
    return anew;
  }
  const Session& session = found->second;
  const bool is_late =
      (resume->attempt != 0 && resume->attempt <= session.attempt) || resume->ack < session.acknowledged;
  std::vector<Outcome> allowed = {is_late ? Outcome::refused : Outcome::resumed};
  if (session.may_be_over) allowed.insert(allowed.end(), anew.begin(), anew.end());
  return allowed;
}

void SessionLedger::expect_hello(call::ConnectionId connection, std::string_view user,
                                 const std::optional<signal::Resume>& resume) {
  was_resumed_ = false;
  hello_ = Hello{connection, std::string(user), resume, outcomes(resume, user), false};
  // One that nobody is connected to makes room; which one, the server knows.
  if (!is_crowded(user)) return;
  for (auto& [id, session] : sessions_) {
    if (session.user == user && !session.connection) session.may_be_over = true;
  }
  for (auto& [call, stand_in] : stand_ins_) stand_in.may_be_over |= stand_in.user == user;
}

void SessionLedger::take(Outcome outcome) {
  const auto& allowed = hello_->allowed;
  const bool is_allowed = std::find(allowed.begin(), allowed.end(), outcome) != allowed.end();
  require_or_say(is_allowed, "a hello has the outcome of the protocol", [&] {
    return fmt::format("{} got {}, and not {}", hello_->user, text_of(outcome), text_of(allowed.front()));
  });
  hello_->was_answered = true;
}

void SessionLedger::close_hello() {
  require(hello_ && hello_->was_answered, "every hello is answered", "no welcome, and no close");
  is_replaying_ = false;
  hello_.reset();
}

void SessionLedger::welcome(std::string_view frame) {
  require(hello_ && !hello_->was_answered, "a welcome answers a hello", std::string(frame));
  const std::string id(value_of(frame, R"("session":")"));
  const bool resumed = value_of(frame, R"("resumed":)") == "true";
  require(value_of(frame, R"("user":")") == hello_->user, "a welcome names its user", std::string(frame));
  take(resumed ? Outcome::resumed : Outcome::opened);
  was_resumed_ = is_replaying_ = resumed;
  if (resumed) {
    require(hello_->resume->session == id, "a session is resumed under its own id", id);
    resume_session(id, hello_->resume->ack);
  } else {
    stage_.tally.add(Count::new_sessions);
    require(!sessions_.contains(id), "a session id is used once", id);
    // The server had one that it could not go on with.
    if (hello_->resume && sessions_.contains(hello_->resume->session)) end(hello_->resume->session);
    Session& session = sessions_[id];
    session.user = hello_->user;
    session.resume_token = value_of(frame, R"("resume_token":")");
  }
  Session& session = sessions_.at(id);
  session.connection = hello_->connection;
  session_by_connection_[hello_->connection] = id;
  require_or_say(number_of(value_of(frame, R"("ack":)")) == session.processed,
                 "a welcome acknowledges what was processed",
                 [&] { return fmt::format("{} instead of {}", frame, session.processed); });
}

void SessionLedger::resume_session(const std::string& id, std::uint64_t ack) {
  Session& session = sessions_.at(id);
  stage_.tally.add(Count::resumes);
  session.may_be_over = false;
  session.attempt = std::max(session.attempt, hello_->resume->attempt);
  session.acknowledged = std::max(session.acknowledged, ack);
  session.due = ack + 1;
  if (session.connection) session_by_connection_.erase(*session.connection);
}

bool SessionLedger::hear(call::ConnectionId connection, const signal::ClientFrame& frame) {
  const auto found = session_by_connection_.find(connection);
  if (found == session_by_connection_.end()) return false;
  Session& session = sessions_.at(found->second);
  if (frame.ack) session.acknowledged = std::max(session.acknowledged, *frame.ack);
  const auto* numbered = std::get_if<signal::Numbered>(&frame.content);
  if (numbered == nullptr) return false;
  if (numbered->seq <= session.processed) stage_.tally.add(Count::repeated);
  if (numbered->seq != session.processed + 1) return false;
  session.processed += 1;
  const auto* told = std::get_if<signal::Snapshot>(&numbered->message);
  const auto stand_in = told != nullptr ? stand_ins_.find(told->call.text()) : stand_ins_.end();
  // The caller is back.
  if (stand_in != stand_ins_.end() && told->is_caller && stand_in->second.user == session.user)
    stand_ins_.erase(stand_in);
  return true;
}

void SessionLedger::lose(call::ConnectionId connection) {
  const auto found = session_by_connection_.find(connection);
  if (found == session_by_connection_.end()) return;
  Session& session = sessions_.at(found->second);
  session.connection.reset();
  session.detached_at = stage_.now();
  session_by_connection_.erase(found);
}

void SessionLedger::run_deadlines() {
  std::vector<std::string> over;
  for (const auto& [id, session] : sessions_) {
    if (!session.connection && session.detached_at + settings_.session_grace <= stage_.now())
      over.push_back(id);
  }
  for (const std::string& id : over) end(id);
  std::erase_if(stand_ins_, [this](const auto& entry) { return entry.second.until <= stage_.now(); });
}

void SessionLedger::add_stand_in(const std::string& user, const std::string& call) {
  stand_ins_[call] = {user, stage_.now() + settings_.session_grace, false};
}

std::size_t SessionLedger::revoke(const std::string& user) {
  std::vector<std::string> detached;
  std::size_t count = 0;
  for (const auto& [id, session] : sessions_) {
    if (session.user != user) continue;
    count += 1;
    if (!session.connection) detached.push_back(id);
  }
  for (const std::string& id : detached) end(id);
  count += std::erase_if(stand_ins_, [&user](const auto& entry) { return entry.second.user == user; });
  return count;
}

void SessionLedger::forget_detached() {
  stand_ins_.clear();
  std::erase_if(sessions_, [](const auto& entry) { return !entry.second.connection; });
}

void SessionLedger::end(const std::string& id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  handle_over_(found->first);
  if (found->second.connection) session_by_connection_.erase(*found->second.connection);
  sessions_.erase(found);
}

bool SessionLedger::emit(call::ConnectionId connection, std::string_view frame) {
  if (frame.starts_with(R"({"type":"welcome")")) {
    welcome(frame);
    return false;
  }
  const auto found = session_by_connection_.find(connection);
  require_or_say(found != session_by_connection_.end(), "frames go to connections that have a session",
                 [&] { return std::string(frame); });
  Session& session = sessions_.at(found->second);
  const FrameHead head = head_of(frame);
  require_or_say(!head.ack || *head.ack <= session.processed, "nothing is acknowledged before it has come",
                 [&] { return fmt::format("{} after {}", frame, session.processed); });
  if (!head.seq) return false;
  require_or_say(*head.seq == session.due, "numbers of a connection have no gap",
                 [&] { return fmt::format("{} instead of {}", frame, session.due); });
  session.due += 1;
  return enter(session, *head.seq, head.body);
}

// One number, one message.
bool SessionLedger::enter(Session& session, std::uint64_t seq, std::string_view body) {
  const std::size_t hash = std::hash<std::string_view>{}(body);
  if (seq > session.hashes.size()) {
    session.hashes.resize(seq);
    session.hashes[seq - 1] = hash;
    return !is_replaying_;
  }
  std::size_t& known = session.hashes[seq - 1];
  stage_.tally.add(Count::replayed);
  if (known == 0) known = hash;  // it was made while nobody was connected
  require_or_say(known == hash, "a number names one message", [&] { return std::string(body); });
  return false;
}

void SessionLedger::close(call::ConnectionId connection, std::uint16_t code, std::string_view reason) {
  if (hello_ && hello_->connection == connection && !hello_->was_answered) {
    if (code == call::kCloseReplaced) stage_.tally.add(Count::late_hellos);
    return take(code == call::kCloseReplaced ? Outcome::refused : Outcome::full);
  }
  const auto found = session_by_connection_.find(connection);
  if (found == session_by_connection_.end()) {
    // Taken from its session by the one that resumes it, in this step.
    require(code == call::kCloseReplaced, "a connection closes once", std::string(reason));
    return;
  }
  if (code == call::kCloseTimeout) return lose(connection);
  if (code == call::kCloseReplaced) return;  // its welcome follows
  require_or_say(code == kCloseNormal || code == call::kCloseToken || code == call::kCloseGoingAway ||
                     (code == call::kCloseOverload && stage_.plan.is_tight),
                 "a client that keeps the rules is not closed",
                 [&] { return fmt::format("{} {}", code, reason); });
  end(found->second);
}

void SessionLedger::compare(std::size_t sessions) {
  const auto is_doubtful = [](const auto& entry) { return entry.second.may_be_over; };
  const auto doubtful =
      static_cast<std::size_t>(std::count_if(sessions_.begin(), sessions_.end(), is_doubtful) +
                               std::count_if(stand_ins_.begin(), stand_ins_.end(), is_doubtful));
  const std::size_t due = sessions_.size() + stand_ins_.size();
  require_or_say(sessions <= due, "sessions end when they are to",
                 [&] { return fmt::format("{} sessions, and {} ought to be", sessions, due); });
  if (sessions + doubtful >= due) return;
  require_or_say(stage_.plan.is_tight, "sessions live as long as they are to",
                 [&] { return fmt::format("{} sessions, and {} ought to be", sessions, due); });
  for (auto& [id, session] : sessions_) {
    if (!session.connection) session.may_be_over = true;
  }
}

std::optional<std::string> SessionLedger::session_of(call::ConnectionId connection) const {
  const auto found = session_by_connection_.find(connection);
  if (found == session_by_connection_.end()) return std::nullopt;
  return found->second;
}

}  // namespace offhook::sim
