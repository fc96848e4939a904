#include "core/call/sessions.h"

#include <array>
#include <cassert>
#include <utility>

#include "core/call/server.h"
#include "core/call/timeline.h"
#include "crypto/base64.h"
#include "crypto/digest.h"

namespace offhook::call {
namespace {

// What a queued message weighs beside its text: the text around it in a frame, and the queue's own entry.
constexpr std::size_t kQueuedOverhead = 64;

// A call id and a sentence of ours: 300 bytes.
constexpr std::size_t kMaxEndOfRingBytes = 512;

// They are minted for a second, so those of the same second are the same.
constexpr Duration kSameCredentials = std::chrono::seconds(1);

std::size_t weight(const signal::Body& body) { return body.object.size() + kQueuedOverhead; }

DeadlineKey deadline(Timer timer, const Session& session) { return {timer, session.key.slot}; }

}  // namespace

Sessions::Sessions(const Settings& settings, Random& random, Deadlines& deadlines)
    : settings_(settings), random_(random), deadlines_(deadlines) {}

Session* Sessions::find(ConnectionId connection) {
  const auto found = key_by_connection_.find(connection);
  return found == key_by_connection_.end() ? nullptr : find(found->second);
}

const Session* Sessions::find(ConnectionId connection) const {
  const auto found = key_by_connection_.find(connection);
  return found == key_by_connection_.end() ? nullptr : sessions_.find(found->second.slot);
}

Session* Sessions::find(const signal::Resume& resume, std::string_view user) {
  const auto found = key_by_id_.find(resume.session);
  if (found == key_by_id_.end()) return nullptr;
  Session* session = find(found->second);
  assert(session != nullptr);
  const bool token_is_right = crypto::constant_time_equal(as_bytes(session->resume_token.reveal()),
                                                          as_bytes(resume.resume_token.reveal()));
  return token_is_right && session->user == user ? session : nullptr;
}

const std::vector<SessionKey>& Sessions::of_user(std::string_view user) const {
  static const std::vector<SessionKey> kNone;
  const auto found = keys_by_user_.find(user);
  return found == keys_by_user_.end() ? kNone : found->second;
}

bool Sessions::is_late(const Session& session, const signal::Resume& resume) {
  const bool outrun = resume.attempt != 0 && resume.attempt <= session.attempt;
  const std::uint64_t acknowledged = session.last_sent - session.queue.size();
  return outrun || resume.ack < acknowledged;
}

bool Sessions::can_replay(const Session& session, std::uint64_t ack) { return ack <= session.last_sent; }

Session& Sessions::open(std::string_view user) {
  const SessionKey key{sessions_.emplace()};
  Session& session = *find(key);
  session.key = key;
  session.id = "s_" + random_text();
  session.resume_token = Secret(random_text());
  session.user = user;
  key_by_id_.emplace(session.id, key);
  keys_by_user_[session.user].push_back(key);
  return session;
}

Session& Sessions::open_detached(std::string_view user, Instant now) {
  Session& session = open(user);
  session.holds_place = true;
  session.detached_at = now;
  deadlines_.set(deadline(Timer::grace, session), now + settings_.session_grace);
  return session;
}

void Sessions::attach(Session& session, ConnectionId connection, const VerifiedDevice& device, bool resumed,
                      const Step& step) {
  if (session.connection) {
    step.outbox.push_back(CloseConnection{*session.connection, kCloseReplaced, "replaced"});
    key_by_connection_.erase(*session.connection);
  }
  session.connection = connection;
  session.warm_path = device.warm_path;
  session.seen_at = device.seen_at;
  const bool added = key_by_connection_.emplace(connection, session.key).second;
  assert(added);
  (void)added;
  deadlines_.cancel(deadline(Timer::grace, session));
  heard(session, step.now);
  deadlines_.set(deadline(Timer::silence, session), step.now + settings_.silence_timeout);

  signal::Welcome welcome;
  welcome.session = session.id;
  welcome.resume_token = session.resume_token;
  welcome.resumed = resumed;
  welcome.user = session.user;
  welcome.ack = session.processed;
  welcome.ping_interval_ms = whole_milliseconds(settings_.ping_interval);
  welcome.ring_timeout_ms = whole_milliseconds(settings_.ring_timeout);
  welcome.warm_path = session.warm_path;
  step.outbox.push_back(SendFrame{connection, signal::welcome_frame(welcome)});
  acknowledged_now(session);
  push_credentials(session.key, step);
}

void Sessions::replay(Session& session, const Step& step) {
  for (const Queued& queued : session.queue) send_queued(session, queued, step);
}

void Sessions::detach(Session& session, Instant now) {
  assert(session.connection);
  key_by_connection_.erase(*session.connection);
  session.connection.reset();
  session.detached_at = now;
  deadlines_.cancel(deadline(Timer::silence, session));
  deadlines_.cancel(deadline(Timer::credentials, session));
  acknowledged_now(session);  // the welcome of the next connection acknowledges
  deadlines_.set(deadline(Timer::grace, session), now + settings_.session_grace);
}

void Sessions::close(SessionKey key, std::uint16_t code, std::string_view reason, const Step& step) {
  Session* session = find(key);
  assert(session != nullptr);
  if (session->connection) {
    step.outbox.push_back(CloseConnection{*session->connection, code, std::string(reason)});
    key_by_connection_.erase(*session->connection);
  }
  for (const Timer timer : {Timer::silence, Timer::grace, Timer::credentials, Timer::ack}) {
    deadlines_.cancel(deadline(timer, *session));
  }
  key_by_id_.erase(session->id);
  const auto of_user = keys_by_user_.find(session->user);
  std::erase(of_user->second, key);
  if (of_user->second.empty()) keys_by_user_.erase(of_user);
  sessions_.erase(key.slot);
}

void Sessions::send(SessionKey key, signal::Body body, std::optional<Instant> began, const Step& step) {
  Session* session = find(key);
  if (session == nullptr || session->closing) return;
  const std::size_t bytes = weight(body);
  if (session->queue.size() >= settings_.max_queued_messages ||
      session->queued_bytes + bytes > settings_.max_queued_bytes) {
    session->closing = true;
    overflowed_.push_back(key);
    return;
  }
  enqueue(*session, std::move(body), began, step);
}

bool Sessions::has_room_to_ring(SessionKey key, const std::vector<signal::Body>& bodies) {
  const Session* session = find(key);
  assert(session != nullptr);
  std::size_t bytes = session->queued_bytes;
  for (const signal::Body& body : bodies) bytes += weight(body);
  return session->queue.size() + bodies.size() <= settings_.max_queued_messages / 2 &&
         bytes <= settings_.max_queued_bytes / 2;
}

void Sessions::send_end_of_ring(SessionKey key, signal::Body body, const Step& step) {
  Session* session = find(key);
  if (session == nullptr || session->closing) return;
  assert(weight(body) <= kMaxEndOfRingBytes);
  enqueue(*session, std::move(body), std::nullopt, step);
}

void Sessions::enqueue(Session& session, signal::Body body, std::optional<Instant> began, const Step& step) {
  session.last_sent += 1;
  session.queued_bytes += weight(body);
  session.queue.push_back({session.last_sent, std::move(body), began});
  if (session.connection) send_queued(session, session.queue.back(), step);
}

void Sessions::push_credentials(SessionKey key, const Step& step) {
  Session* session = find(key);
  if (session == nullptr || session->closing || !session->connection) return;
  session->credentials_at = step.now;
  deadlines_.set(deadline(Timer::credentials, *session), step.now + settings_.credentials_interval);
  step.outbox.push_back(CredentialsDue{*session->connection, session->user});
}

void Sessions::push_credentials_if_old(SessionKey key, const Step& step) {
  const Session* session = find(key);
  if (session == nullptr || step.now - session->credentials_at < kSameCredentials) return;
  push_credentials(key, step);
}

std::vector<SessionKey> Sessions::take_overflowed() { return std::exchange(overflowed_, {}); }

bool Sessions::is_silent(Session& session, Instant now) {
  const Instant due = session.heard_at + settings_.silence_timeout;
  if (due <= now) return true;
  deadlines_.set(deadline(Timer::silence, session), due);
  return false;
}

bool Sessions::acknowledge(Session& session, std::uint64_t ack) {
  if (ack > session.last_sent) return false;
  while (!session.queue.empty() && session.queue.front().seq <= ack) {
    session.queued_bytes -= weight(session.queue.front().body);
    session.queue.pop_front();
  }
  return true;
}

Sessions::Arrival Sessions::arrive(Session& session, signal::Numbered& numbered, Instant now) {
  if (numbered.seq <= session.processed) {
    // The acknowledgement was lost, or is on its way: say it again.
    want_ack(session, now);
    return Arrival::repeated;
  }
  if (numbered.seq == session.processed + 1) {
    session.processed += 1;
    want_ack(session, now);
    return Arrival::next;
  }
  if (session.early.contains(numbered.seq)) return Arrival::repeated;
  if (session.early.size() >= settings_.max_early_messages) return Arrival::too_early;
  if (session.early_bytes + numbered.bytes > settings_.max_early_bytes) return Arrival::too_early;
  session.early_bytes += numbered.bytes;
  session.early.emplace(numbered.seq, std::move(numbered));
  return Arrival::early;
}

std::optional<signal::NumberedMessage> Sessions::take_early(Session& session, Instant now) {
  if (session.early.empty() || session.early.begin()->first != session.processed + 1) return std::nullopt;
  signal::Numbered next = std::move(session.early.begin()->second);
  session.early.erase(session.early.begin());
  session.early_bytes -= next.bytes;
  session.processed += 1;
  want_ack(session, now);
  return std::move(next.message);
}

void Sessions::acknowledge_if_many(Session& session, const Step& step) {
  if (session.unacknowledged >= settings_.ack_after_messages) send_ack(session, step);
}

void Sessions::send_ack(Session& session, const Step& step) {
  if (!session.connection) return;
  step.outbox.push_back(SendFrame{*session.connection, signal::ack_frame(session.processed)});
  acknowledged_now(session);
}

void Sessions::want_ack(Session& session, Instant now) {
  session.unacknowledged += 1;
  if (session.unacknowledged == 1) deadlines_.set(deadline(Timer::ack, session), now + settings_.ack_delay);
}

void Sessions::acknowledged_now(Session& session) {
  if (session.unacknowledged == 0) return;
  session.unacknowledged = 0;
  deadlines_.cancel(deadline(Timer::ack, session));
}

void Sessions::send_queued(Session& session, const Queued& queued, const Step& step) {
  std::optional<std::uint64_t> age_ms;
  if (queued.began) age_ms = whole_milliseconds(step.now - *queued.began);
  step.outbox.push_back(SendFrame{
      *session.connection, signal::numbered_frame(queued.seq, session.processed, age_ms, queued.body)});
  acknowledged_now(session);
}

std::string Sessions::random_text() {
  std::array<std::uint8_t, 16> raw{};
  random_.fill(raw);
  return crypto::base64url_encode(raw);
}

std::size_t Sessions::deadlines_due() {
  std::size_t count = 0;
  for_each([&count](const Session& session) {
    // Silence and credentials while there is a connection, grace while there is none.
    count += session.connection ? 2U : 1U;
    count += session.unacknowledged > 0 ? 1U : 0U;
  });
  return count;
}

std::optional<std::string> Sessions::broken_invariant() {
  std::optional<std::string> broken;
  std::size_t attached = 0;
  const std::size_t rings = settings_.max_incoming_calls_per_session;
  for_each([&](const Session& session) {
    std::size_t bytes = 0;
    std::uint64_t seq = session.last_sent - session.queue.size();
    for (const Queued& queued : session.queue) {
      bytes += weight(queued.body);
      if (queued.seq != ++seq) broken = "queue of " + session.id + " has a gap";
    }
    std::size_t early_bytes = 0;
    for (const auto& [number, early] : session.early) early_bytes += early.bytes;
    if (early_bytes != session.early_bytes) broken = "early_bytes of " + session.id + " is wrong";
    if (early_bytes > settings_.max_early_bytes) broken = "early of " + session.id + " is too large";
    if (bytes != session.queued_bytes) broken = "queued_bytes of " + session.id + " is wrong";
    if (bytes > settings_.max_queued_bytes + rings * kMaxEndOfRingBytes)
      broken = "queue of " + session.id + " is too large";
    if (session.queue.size() > settings_.max_queued_messages + rings)
      broken = "queue of " + session.id + " is too long";
    if (session.early.size() > settings_.max_early_messages)
      broken = "early of " + session.id + " is too long";
    if (session.closing) broken = session.id + " was not closed";
    if (session.connection) attached += 1;
    const auto by_id = key_by_id_.find(session.id);
    if (by_id == key_by_id_.end() || by_id->second != session.key)
      broken = session.id + " is not found by id";
  });
  std::size_t listed = 0;
  for (const auto& [user, keys] : keys_by_user_) listed += keys.size();
  if (listed != sessions_.size()) broken = "keys_by_user has " + std::to_string(listed) + " entries";
  if (key_by_id_.size() != sessions_.size()) broken = "key_by_id has stale entries";
  if (key_by_connection_.size() != attached) broken = "key_by_connection has stale entries";
  return broken;
}

}  // namespace offhook::call
