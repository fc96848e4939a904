#include "connection.h"

#include <algorithm>
#include <array>
#include <utility>

namespace offhook::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Sockets that stand still do so no later than this after they opened (network.cc).
constexpr Duration kSlowAtMost = seconds(15);
// The SDK's policy.
constexpr std::array<Duration, 7> kRetryDelays = {milliseconds(0),    milliseconds(300),  milliseconds(600),
                                                  milliseconds(1200), milliseconds(2400), milliseconds(4800),
                                                  milliseconds(7000)};
constexpr Duration kOpenTimeout = milliseconds(6000);
constexpr Duration kPongTimeout = milliseconds(5000);
constexpr Duration kProbeTimeout = milliseconds(1000);
constexpr Duration kPingInterval = seconds(10);
constexpr Duration kUrgentPingInterval = milliseconds(1000);
constexpr Duration kSocketHedge = milliseconds(500);
constexpr Duration kSocketAgain = milliseconds(200);
constexpr Duration kWelcomeWait = milliseconds(1500);
constexpr Duration kAckDelay = milliseconds(40);
constexpr Duration kLateHello = seconds(60);
constexpr std::size_t kMaxOpenings = 3;
constexpr std::size_t kQuickTries = 5;

constexpr std::uint16_t kReplaced = 4409;
constexpr std::uint16_t kOverload = 4429;
constexpr std::uint16_t kBadMessage = 4400;

Duration delay_of(std::size_t attempt) { return kRetryDelays[std::min(attempt, kRetryDelays.size() - 1)]; }

}  // namespace

Connection::Connection(Stage& stage, Network& network, Access& access, std::string label, std::string user,
                       const PlannedDevice& device, ConnectionOwner& owner)
    : stage_(stage),
      network_(network),
      access_(access),
      label_(std::move(label)),
      user_(std::move(user)),
      warm_path_(device.warm_path),
      is_clumsy_(device.is_clumsy),
      owner_(owner),
      dice_(access.dice.roll()),
      retry_timer_(stage.timetable),
      hedge_timer_(stage.timetable),
      ping_timer_(stage.timetable),
      pong_timer_(stage.timetable),
      ack_timer_(stage.timetable) {}

Connection::~Connection() { network_.forget(*this); }

void Connection::start() {
  if (socket_ || !openings_.empty() || has_stopped_) return;
  retry_timer_.cancel();
  open();
}

void Connection::send(ClientMessage message) {
  if (has_stopped_) return;
  if (!numbered_.push(std::move(message))) return lose_session();
  flush();
}

void Connection::probe() {
  if (socket_) return ping(kProbeTimeout);
  if (!openings_.empty()) return;
  attempt_ = 0;
  start();
}

void Connection::suspect() {
  if (socket_ && openings_.empty()) {
    is_hurried_ = true;
    open();
    is_suspected_ = true;
  }
  probe();
}

void Connection::renew() {
  attempt_ = tries_again_ = 0;
  retry_timer_.cancel();
  drop_openings();
  is_hurried_ = true;
  open();
}

void Connection::set_urgent(bool urgent) {
  if (is_urgent_ == urgent) return;
  is_urgent_ = urgent;
  schedule_pings();
  schedule_hedge();
}

void Connection::say_bye() {
  if (is_online()) send(bye_message());
  has_stopped_ = true;
  retry_timer_.cancel();
  hedge_timer_.cancel();
  drop_openings();
  drop_socket();
}

void Connection::open() {
  if (has_stopped_) return;
  const SocketId opening = network_.open(access_, *this);
  openings_.push_back(opening);
  Timer& late = late_timers_.try_emplace(opening, stage_.timetable).first->second;
  late.set(kOpenTimeout, [this, opening] { lose(opening); });
  schedule_hedge();
}

void Connection::schedule_hedge() {
  hedge_timer_.cancel();
  if (!(is_urgent_ || is_hurried_) || openings_.empty()) return;
  Duration wait = kSocketHedge;
  if (greeting_)
    wait = std::min(kWelcomeWait * (1U << std::min<std::uint64_t>(slow_hellos_, 4)), kOpenTimeout);
  hedge_timer_.set(wait, [this] { hedge(); });
}

// What is on its way takes too long: another one beside it, and a hello without an answer is given up for it.
void Connection::hedge() {
  if (greeting_) {
    slow_hellos_ += 1;
    // A session that nobody will know of is not to live.
    if (!can_resume_) network_.write_up(*greeting_, R"({"type":"bye","seq":1,"ack":0})");
    drop(*greeting_);
  }
  if (openings_.size() < kMaxOpenings) {
    open();
  } else {
    schedule_hedge();
  }
  greet();
  catch_up();
}

void Connection::open_again() {
  const std::size_t late = tries_again_ > kQuickTries ? tries_again_ - kQuickTries : 0;
  tries_again_ += 1;
  hedge_timer_.set(std::max(late == 0 ? Duration::zero() : delay_of(late), kSocketAgain), [this] {
    if (openings_.empty()) open();
  });
}

void Connection::greet() {
  if (greeting_) return;
  const auto opening =
      std::find_if(openings_.begin(), openings_.end(), [this](SocketId one) { return ready_.contains(one); });
  if (opening == openings_.end()) return;
  greeting_ = *opening;
  schedule_hedge();
  json::Writer out;
  out.begin_object().field("type", "hello").field("version", 1).field("token", user_);
  if (can_resume_) {
    hellos_ += 1;
    out.key("resume").begin_object().field("session", session_).field("resume_token", resume_token_);
    out.field("ack", static_cast<std::int64_t>(numbered_.processed()));
    if (!is_clumsy_) out.field("attempt", static_cast<std::int64_t>(hellos_));
    out.end_object();
  }
  out.field("warm_path", name(warm_path_)).end_object();
  network_.write_up(*greeting_, out.take());
}

void Connection::handle_socket_opened(SocketId socket) {
  ready_.insert(socket);
  greet();
}

void Connection::handle_socket_text(SocketId socket, const std::string& text) {
  if (stage_.traces()) stage_.note(label_ + " <- " + text);
  const auto document = json::parse(text, {.max_bytes = std::size_t{1} << 20U});
  require(document.has_value(), "the server speaks the protocol", text);
  json::Fields fields(document->root());
  const std::string_view type = fields.string("type", {.max = 32});
  if (type == "welcome" && socket == greeting_) return handle_welcome(socket, fields, text);
  if (socket != socket_) return;
  heard_at_ = stage_.now();
  pong_timer_.cancel();
  if (is_suspected_ && !greeting_) drop_openings();
  if (const auto ack = fields.optional_integer("ack", 0, INT64_MAX)) {
    numbered_.handle_ack(static_cast<std::uint64_t>(*ack));
  }
  if (type == "credentials") {
    return owner_.handle_credentials(std::string(fields.string("username", {.max = 200})),
                                     std::string(fields.string("credential", {.max = 200})));
  }
  if (type == "pong" || type == "ack") return;
  handle_numbered(parse_message(fields, type, text), text);
}

void Connection::handle_numbered(const ServerMessage& message, const std::string& text) {
  const bool is_new = numbered_.handle_number(message.seq, text);
  if (numbered_.owed() >= NumberedStream::kAckEvery) {
    acknowledge();
  } else if (!ack_timer_.is_set()) {
    ack_timer_.set(kAckDelay, [this] { acknowledge(); });
  }
  if (!is_new) return;
  stage_.tally.add(Count::messages);
  owner_.handle_message(message, message.said == Said::error ? numbered_.sent(message.ref) : nullptr);
}

void Connection::handle_welcome(SocketId socket, json::Fields& fields, const std::string& text) {
  drop_socket();
  std::erase(openings_, socket);
  ready_.erase(socket);
  late_timers_.erase(socket);
  greeting_.reset();
  drop_openings();
  socket_ = socket;
  welcomed_at_ = stage_.now();
  heard_at_ = stage_.now();
  is_hurried_ = false;
  hedge_timer_.cancel();
  retry_timer_.cancel();
  const bool resumed = fields.boolean("resumed");
  std::optional<std::set<std::string>> kept;
  if (had_session_ && !resumed) {
    kept.emplace();
    if (stage_.plan.tells_snapshots) {
      numbered_.clear();
    } else {
      kept = numbered_.restart();
    }
  }
  session_ = fields.string("session", {.max = 64});
  resume_token_ = fields.string("resume_token", {.max = 64});
  const auto ack = static_cast<std::uint64_t>(fields.integer("ack", 0, INT64_MAX));
  require(fields.ok(), "the server speaks the protocol", text);
  if (!resumed) {
    epoch_ += 1;
    has_given_up_ = std::exchange(gives_up_, false);
  }
  can_resume_ = had_session_ = true;
  attempt_ = tries_again_ = 0;
  slow_hellos_ = 0;
  for (std::string& frame : numbered_.replay(ack, is_clumsy_, stage_.now())) write(std::move(frame));
  schedule_pings();
  if (kept) owner_.handle_session_lost(*kept);
  owner_.handle_online(resumed);
}

void Connection::schedule_pings() {
  ping_timer_.cancel();
  if (socket_) ping_timer_.set(is_urgent_ ? kUrgentPingInterval : kPingInterval, [this] { tick(); });
}

void Connection::tick() {
  overflows_ = 0;
  ping(is_urgent_ ? kProbeTimeout : kPongTimeout);
  check_acknowledged();
  schedule_pings();
}

void Connection::ping(Duration timeout) {
  if (!socket_ || greeting_) return;
  if (!pong_timer_.is_set() || timeout < pong_wait_) {
    pong_wait_ = timeout;
    pong_timer_.set(timeout, [this, timeout] { handle_silence(timeout); });
  }
  write(R"({"type":"ping"})");
}

void Connection::handle_silence(Duration waited) {
  const Duration left = kPongTimeout - waited;
  if (left <= Duration::zero()) return lose(*socket_);
  if (openings_.empty()) {
    open();
    is_suspected_ = true;
  }
  pong_wait_ = Duration::zero();
  pong_timer_.set(left, [this] { lose(*socket_); });
}

void Connection::handle_socket_closed(SocketId socket, std::uint16_t code, const std::string& reason) {
  if (stage_.traces()) stage_.note(fmt::format("{} closed: {} {}", label_, code, reason));
  const bool is_ours =
      socket == socket_ || std::find(openings_.begin(), openings_.end(), socket) != openings_.end();
  if (!is_ours || has_stopped_) return;
  require(code != kBadMessage, "a client that keeps the rules is not closed", reason);
  if (code == kReplaced) {
    require(was_replaced_by_us(socket), "nobody takes over a session but its client", label_);
  }
  if (code != kOverload) return lose(socket);
  stage_.tally.add(Count::overflows);
  overflows_ += 1;
  attempt_ = std::max(attempt_, overflows_);
  lose_calmly(socket);
}

// By a hello whose welcome is on its way, or by one that was given up; or `socket` has come too late itself.
bool Connection::was_replaced_by_us(SocketId socket) {
  // Hellos that are not counted may come late more than once.
  if (greeting_ || socket != socket_ || is_clumsy_) return true;
  const bool is_ours = gave_up_at_ && stage_.now() - *gave_up_at_ < kLateHello;
  gave_up_at_.reset();
  return is_ours;
}

void Connection::write(std::string frame) {
  if (!socket_) return;
  if (stage_.traces()) stage_.note(label_ + " -> " + frame);
  network_.write_up(*socket_, std::move(frame));
}

void Connection::flush() {
  if (!is_online()) return;
  for (std::string& frame : numbered_.take_unwritten(stage_.now())) {
    ack_timer_.cancel();
    write(std::move(frame));
  }
}

void Connection::catch_up() {
  flush();
  if (is_online() && numbered_.owed() > 0) acknowledge();
}

void Connection::acknowledge() {
  ack_timer_.cancel();
  if (!is_online() || numbered_.owed() == 0) return;
  numbered_.acknowledged();
  write("{\"type\":\"ack\",\"ack\":" + std::to_string(numbered_.processed()) + "}");
}

// What was written on a socket that works is acknowledged within the delay of docs/protocol.md.
void Connection::check_acknowledged() {
  if (!is_online() || stage_.now() < stage_.disturbed_until || numbered_.pending().empty()) return;
  const bool may_stand_still =
      stage_.plan.slow_socket_percent > 0 && stage_.now() - welcomed_at_ < kSlowAtMost;
  if (may_stand_still) return;
  const NumberedStream::Pending& oldest = numbered_.pending().front();
  if (!oldest.was_written) return;
  const Duration round_trip = 2 * (access_.delay + access_.jitter);
  const Duration waited = stage_.now() - oldest.written_at;
  // What has stood still goes there, and the acknowledgement comes back.
  const Duration settling = seconds(1) + round_trip;
  const bool is_well = heard_within(seconds(1)) && access_.frozen_until + settling < stage_.now() &&
                       access_.stalled_until + settling < stage_.now();
  require(
      !is_well || waited < seconds(2) + round_trip || heard_at_ < oldest.written_at + seconds(2) + round_trip,
      "what has come is acknowledged", label_ + " waits for it");
}

void Connection::lose(SocketId socket) {
  if (socket == socket_) {
    drop_socket();
    owner_.handle_offline();
  } else {
    drop(socket);
  }
  if (socket_) {
    if (is_hurried_ && openings_.empty()) open_again();
    return catch_up();
  }
  if (openings_.empty()) return retry();
  greet();
}

void Connection::lose_calmly(SocketId socket) {
  is_hurried_ = false;
  lose(socket);
  ping(kProbeTimeout);
}

// Nothing of the session can be saved: the next connection begins a new one.
void Connection::lose_session() {
  can_resume_ = false;
  gives_up_ = true;
  drop_openings();
  drop_socket();
  owner_.handle_offline();
  retry();
}

void Connection::retry() {
  if (has_stopped_) return;
  const Duration delay = delay_of(attempt_);
  attempt_ += 1;
  retry_timer_.set(dice_.between(delay * 8 / 10, delay * 12 / 10), [this] { start(); });
}

void Connection::drop_socket() {
  pong_timer_.cancel();
  ping_timer_.cancel();
  ack_timer_.cancel();
  if (socket_) network_.close_up(*socket_);
  socket_.reset();
}

void Connection::drop_openings() {
  is_suspected_ = false;
  hedge_timer_.cancel();
  const std::vector<SocketId> openings = openings_;
  for (const SocketId opening : openings) drop(opening);
}

void Connection::drop(SocketId opening) {
  std::erase(openings_, opening);
  ready_.erase(opening);
  late_timers_.erase(opening);
  if (greeting_ == opening) {
    greeting_.reset();
    gave_up_at_ = stage_.now();
  }
  if (openings_.empty()) hedge_timer_.cancel();
  network_.close_up(opening);
}

}  // namespace offhook::sim
