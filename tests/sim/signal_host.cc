#include "signal_host.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "wire/signal/server_frame.h"

namespace offhook::sim {
namespace {

using std::chrono::seconds;

constexpr Duration kHelloTimeout = seconds(10);
// What is late because the server was disturbed is late no longer than this afterwards.
constexpr Duration kSettling = seconds(90);

call::ConnectionId connection_of(SocketId socket) {
  return call::ConnectionId{static_cast<std::uint64_t>(socket)};
}
SocketId socket_of(call::ConnectionId connection) { return SocketId{static_cast<std::uint64_t>(connection)}; }

call::Settings with_relays(call::Settings settings, const RelayHost& relay) {
  settings.is_own_relay = [&relay](const Address& address) { return relay.is_live(address); };
  return settings;
}

}  // namespace

SignalHost::SignalHost(Stage& stage, Network& network, RelayHost& relay, Judge& judge)
    : stage_(stage),
      network_(network),
      relay_(relay),
      judge_(judge),
      settings_(with_relays(call_settings(stage.plan), relay)),
      dice_(stage.plan.seed, 2),
      journal_(stage),
      timer_(stage.timetable),
      restart_timer_(stage.timetable),
      pause_timer_(stage.timetable) {
  network_.serve(*this);
  start();
}

void SignalHost::start() {
  core_ = std::make_unique<call::Server>(settings_, dice_);
  ledger_ = std::make_unique<SessionLedger>(
      stage_, settings_, [this](const std::string& session) { judge_.lose_session(session); });
  connections_.clear();
  if (stage_.plan.has_journal) restore();
  arm();
}

void SignalHost::restore() {
  const std::vector<call::WaitingCall> left = journal_.waiting();
  const auto due = std::count_if(left.begin(), left.end(), [this](const call::WaitingCall& call) {
    return call.age < settings_.ring_timeout;
  });
  step({StepInput::Kind::restore, nullptr, "", 0},
       [&](call::Outbox& outbox) { core_->restore(left, stage_.now(), outbox); });
  require(core_->counts().calls == static_cast<std::size_t>(due), "what rang rings on after a crash",
          fmt::format("{} calls of {}", core_->counts().calls, due));
  stage_.tally.add(Count::journalled, static_cast<std::uint64_t>(due));
}

void SignalHost::go_down(Duration down) {
  stage_.disturbed_until = std::max(stage_.disturbed_until, stage_.now() + down + kSettling);
  core_.reset();
  ledger_.reset();
  connections_.clear();
  timer_.cancel();
  relay_.crash();
  restart_timer_.set(down, [this] { start(); });
}

void SignalHost::crash(Duration down) {
  if (!core_) return;
  stage_.note("the server crashes");
  judge_.crash(stage_.now());
  journal_.lose_unwritten();
  network_.cut_all();
  go_down(down);
}

void SignalHost::shut_down(Duration down) {
  if (!core_) return;
  stage_.note("the server shuts down");
  step({StepInput::Kind::shutdown, nullptr, "", 0}, [&](call::Outbox& outbox) {
    core_->shutdown(stage_.now(), outbox);
    ledger_->forget_detached();
  });
  // Those that have not said hello: the core does not know them.
  for (const auto& [socket, connection] : connections_) {
    network_.close_down(socket, call::kCloseGoingAway, "server_shutdown");
  }
  connections_.clear();
  check_nothing_left();
  journal_.write();
  require(journal_.is_empty(), "a server that stops in good order leaves no call", "its journal has some");
  go_down(down);
}

void SignalHost::end_call(std::uint64_t choice) {
  const auto call = judge_.live_call(choice);
  if (!core_ || is_paused_ || !call) return;
  stage_.note("the app ends " + *call);
  step({StepInput::Kind::end_call, nullptr, "", 0, *call}, [&](call::Outbox& outbox) {
    const bool was_ended = core_->handle_end(*signal::CallId::parse(*call), stage_.now(), outbox);
    require(was_ended, "the app can end a call that lives", *call);
  });
  require(!judge_.lives(*call), "the app can end a call that lives", *call);
}

void SignalHost::revoke(const std::string& user) {
  if (!core_ || is_paused_) return;
  stage_.note("the app revokes " + user);
  step({StepInput::Kind::revoke, nullptr, "", 0, user}, [&](call::Outbox& outbox) {
    const std::size_t calls = judge_.live_of(user);
    const std::size_t sessions = ledger_->revoke(user);
    const call::Revoked revoked = core_->handle_revoke(user, stage_.now(), outbox);
    require(
        revoked.calls == calls && (revoked.sessions == sessions || stage_.plan.is_tight),
        "a revocation ends everything of a user",
        fmt::format("{} calls of {}, {} sessions of {}", revoked.calls, calls, revoked.sessions, sessions));
  });
  require(judge_.live_of(user) == 0, "a revocation ends everything of a user", user);
}

void SignalHost::place(const std::string& caller, const std::string& callee) {
  if (!core_ || is_paused_) return;
  stage_.note("the app asks " + caller + " to call " + callee);
  step({StepInput::Kind::place, nullptr, "", 0, caller}, [&](call::Outbox& outbox) {
    const call::Placed placed = core_->handle_place(caller, callee, {true, true}, stage_.now(), outbox);
    judge_.place(placed.call.text(), caller, callee);
    require(placed.devices == ledger_->devices_of(caller) || stage_.plan.is_tight, "all devices are asked",
            fmt::format("{} of {} of {}", placed.devices, ledger_->sessions_of(caller), caller));
  });
}

// Somebody takes it on at once or after a while, and gives up, or does not.
void SignalHost::try_to_wake(const std::string& call) {
  const Duration wait = dice_.scaled(std::chrono::milliseconds(1), seconds(7));
  stage_.timetable.after(wait, [this, call] { wake(call, call::Waking::under_way); });
  if (dice_.percent(50)) return;
  stage_.timetable.after(wait + dice_.scaled(std::chrono::milliseconds(1), seconds(40)),
                         [this, call] { wake(call, call::Waking::failed); });
}

void SignalHost::wake(const std::string& call, call::Waking waking) {
  if (!core_ || is_paused_) return;
  step({StepInput::Kind::waking, nullptr, "", 0, call}, [&](call::Outbox& outbox) {
    judge_.wake(call, waking == call::Waking::under_way);
    core_->handle_waking(*signal::CallId::parse(call), waking, stage_.now(), outbox);
  });
}

void SignalHost::pause(Duration span) {
  stage_.note("the server stands still");
  is_paused_ = true;
  paused_until_ = std::max(paused_until_, stage_.now() + span);
  pause_timer_.set(paused_until_ - stage_.now(), [this] { go_on(); });
  stage_.disturbed_until = std::max(stage_.disturbed_until, paused_until_ + kSettling);
}

void SignalHost::go_on() {
  is_paused_ = false;
  for (const Timetable::Task& task : std::exchange(held_, {})) task();
}

void SignalHost::step(StepInput input, const Work& work) {
  input.sessions_before = core_->counts().sessions;
  input_ = &input;
  rung_.clear();
  offered_.clear();
  was_begun_ = was_taken_ = false;
  call::Outbox outbox;
  work(outbox);
  carry_out(outbox);
  check();
  input_ = nullptr;
  arm();
}

void SignalHost::accept_socket(SocketId socket) {
  connections_[socket] = {false, stage_.now() + kHelloTimeout, ""};
  arm();
}

void SignalHost::receive_text(SocketId socket, const std::string& text) {
  if (is_paused_) {
    held_.emplace_back([this, socket, text] { receive_text(socket, text); });
    return;
  }
  const auto found = connections_.find(socket);
  if (found == connections_.end()) return;
  if (found->second.has_greeted) return frame(socket, text);
  hello(socket, text);
}

void SignalHost::hello(SocketId socket, const std::string& text) {
  const auto parsed = signal::parse_client_frame(text);
  require(parsed.has_value(), "the server understands its clients", text);
  const auto* said = std::get_if<signal::Hello>(&parsed->content);
  // What its client has given up says `bye` first.
  if (said == nullptr) return;
  stage_.tally.add(Count::connections);
  Connection& connection = connections_.at(socket);
  connection.has_greeted = true;
  connection.user = said->token.reveal();
  const std::string user = connection.user;
  const WarmPath warm_path = std::max(stage_.plan.warm_path, said->warm_path.value_or(stage_.plan.warm_path));
  if (stage_.traces()) stage_.note("server hears " + text);
  ledger_->expect_hello(connection_of(socket), user, said->resume);
  step({StepInput::Kind::hello, nullptr, "", 0}, [&](call::Outbox& outbox) {
    core_->handle_hello(connection_of(socket), {user, warm_path, std::nullopt}, said->resume, stage_.now(),
                        outbox);
  });
  ledger_->close_hello();
  check_rung(socket, user);
}

void SignalHost::frame(SocketId socket, const std::string& text) {
  auto parsed = signal::parse_client_frame(text);
  require(parsed.has_value(), "the server understands its clients", text);
  const call::ConnectionId connection = connection_of(socket);
  StepInput input{StepInput::Kind::frame, nullptr, ledger_->session_of(connection).value_or(""), 0};
  const std::string user = connections_.at(socket).user;
  const bool is_next = ledger_->hear(connection, *parsed);
  std::optional<signal::NumberedMessage> message;
  bool goes_on = false;
  if (is_next) {
    const auto& numbered = std::get<signal::Numbered>(parsed->content);
    message = numbered.message;
    input.message = &*message;
    input_seq_ = numbered.seq;
    const auto* told = std::get_if<signal::Snapshot>(&*message);
    goes_on = told != nullptr && judge_.goes_on(input.session, *told);
    judge_.process(input.session, user, *message);
  }
  step(input, [&](call::Outbox& outbox) {
    core_->handle_frame(connection, std::move(parsed), stage_.now(), outbox);
  });
  if (!message) return;
  require(!std::holds_alternative<signal::Bye>(*message) || !ledger_->session_of(connection),
          "a bye ends its session", input.session);
  if (const auto* dial = std::get_if<signal::Dial>(&*message)) check_dialled(*dial, user);
  const auto* take = std::get_if<signal::Take>(&*message);
  if (take != nullptr && was_taken_) judge_.take(input.session, user, take->call.text());
  if (const auto* told = std::get_if<signal::Snapshot>(&*message)) check_told(*told, goes_on);
}

// A new session rings for all that waits for its user.
void SignalHost::check_rung(SocketId socket, const std::string& user) const {
  const auto session = ledger_->session_of(connection_of(socket));
  if (!session || ledger_->was_resumed() || stage_.plan.is_tight) return;
  require(rung_.count(socket) == judge_.waiting(user, "", false), "a device that comes late rings, too",
          user);
  require(offered_.count(socket) >= judge_.waiting(user, "", true), "a device that comes late gets the offer",
          user);
}

void SignalHost::check_dialled(const signal::Dial& dial, const std::string& caller) const {
  require(judge_.waiting(dial.to, caller, false) <= settings_.max_waiting_calls_per_pair,
          "a user takes no more places than it may", caller);
  require(judge_.was_made(dial.call.text()) || judge_.was_refused(dial.call.text()), "a dial makes a call",
          dial.call.text());
  if (!stage_.plan.is_tight && judge_.lives(dial.call.text())) check_all_ring(dial.call.text(), dial.to);
}

void SignalHost::check_told(const signal::Snapshot& told, bool goes_on) const {
  const std::string& id = told.call.text();
  if (goes_on) {
    const auto record = core_->record(told.call, stage_.now());
    require(record && record->accepted, "a call goes on when both sides tell of it", id);
  }
  if (was_begun_ && told.state == signal::Snapshot::State::ringing && judge_.lives(id))
    check_all_ring(id, told.peer);
}

// But for those that have told of its end before.
void SignalHost::check_all_ring(const std::string& call, const std::string& callee) const {
  for (const auto& [socket, connection] : connections_) {
    const auto session = ledger_->session_of(connection_of(socket));
    if (connection.user != callee || !session || judge_.has_left(call, *session)) continue;
    require(rung_.contains(socket), "all devices ring", callee);
  }
}

void SignalHost::lose_socket(SocketId socket) {
  if (is_paused_) {
    held_.emplace_back([this, socket] { lose_socket(socket); });
    return;
  }
  if (connections_.erase(socket) == 0) return;
  ledger_->lose(connection_of(socket));
  step({StepInput::Kind::closed, nullptr, "", 0}, [&](call::Outbox& outbox) {
    core_->handle_connection_closed(connection_of(socket), stage_.now(), outbox);
  });
}

void SignalHost::run_deadlines() {
  if (is_paused_) {
    timer_.set(paused_until_ - stage_.now(), [this] { run_deadlines(); });
    return;
  }
  std::vector<SocketId> silent;
  for (const auto& [socket, connection] : connections_) {
    if (!connection.has_greeted && connection.hello_due <= stage_.now()) silent.push_back(socket);
  }
  for (const SocketId socket : silent) {
    network_.close_down(socket, call::kCloseTimeout, "timeout");
    connections_.erase(socket);
  }
  step({StepInput::Kind::deadlines, nullptr, "", 0}, [&](call::Outbox& outbox) {
    core_->handle_deadlines(stage_.now(), outbox);
    ledger_->run_deadlines();
    require(core_->next_deadline() > stage_.now(), "deadlines go forward", "the same is due again");
  });
}

void SignalHost::carry_out(call::Outbox& outbox) {
  // By index: carrying out an effect can add others to the end.
  for (std::size_t i = 0; i < outbox.size(); ++i) {
    const call::Effect effect = std::move(outbox[i]);
    if (const auto* frame = std::get_if<call::SendFrame>(&effect)) {
      send(*frame, outbox);
    } else if (const auto* closed = std::get_if<call::CloseConnection>(&effect)) {
      close(*closed);
    } else if (const auto* record = std::get_if<call::CallEnded>(&effect)) {
      if (stage_.traces()) stage_.note(fmt::format("over: {} {}", record->call.text(), name(record->reason)));
      judge_.end(*record, *input_, core_->counts().sessions);
      relay_.part(record->call.text());
    } else if (const auto* waits = std::get_if<call::JournalCall>(&effect)) {
      begin(waits->call);
    } else if (const auto* settled = std::get_if<call::ForgetCall>(&effect)) {
      if (stage_.plan.has_journal) journal_.forget(settled->call.text());
    } else if (const auto* answered = std::get_if<call::CallAnswered>(&effect)) {
      judge_.answered(answered->call.text());
    } else if (const auto* dialled = std::get_if<call::CallDialled>(&effect)) {
      if (stage_.plan.wakes) try_to_wake(dialled->call.text());
    } else if (const auto* introduced = std::get_if<call::PeerIntroduced>(&effect)) {
      judge_.introduce(*introduced, relay_.was_live(introduced->peer_address));
      relay_.introduce(introduced->user, introduced->call.text(), introduced->peer_address);
    } else if (const auto* due = std::get_if<call::CredentialsDue>(&effect)) {
      const RelayCredentials minted = relay_.mint(due->user);
      send({due->connection, signal::credentials_frame(fmt::format(R"({{"username":"{}","credential":"{}"}})",
                                                                   minted.username, minted.credential))},
           outbox);
    }
  }
}

void SignalHost::begin(const call::WaitingCall& call) {
  judge_.begin(call, *input_);
  was_begun_ = true;
  if (stage_.plan.has_journal) journal_.keep(call);
  if (input_->kind == StepInput::Kind::restore) ledger_->add_stand_in(call.caller, call.call.text());
}

void SignalHost::send(const call::SendFrame& effect, call::Outbox& outbox) {
  const SocketId socket = socket_of(effect.connection);
  if (!connections_.contains(socket)) return;
  if (ledger_->emit(effect.connection, effect.text)) note(socket, effect.text);
  if (network_.write_down(socket, effect.text)) return;
  connections_.erase(socket);
  ledger_->lose(effect.connection);
  core_->handle_connection_closed(effect.connection, stage_.now(), outbox);
}

// A message that goes out for the first time.
void SignalHost::note(SocketId socket, const std::string& text) {
  const std::string_view body = head_of(text).body;
  if (body.starts_with(R"("type":"incoming")")) {
    rung_.insert(socket);
    const auto number = [&text](std::string_view key) { return text.substr(text.find(key) + key.size()); };
    const std::string call = number(R"("call":")");
    judge_.check_age(call.substr(0, call.find('"')), std::stoull(number(R"("age_ms":)")));
  }
  if (body.starts_with(R"("type":"taken")")) was_taken_ = true;
  if (body.starts_with(R"("type":"offer")")) offered_.insert(socket);
  if (!body.starts_with(R"("type":"error")")) return;
  const std::string ref = fmt::format(R"("ref":{})", input_seq_);
  require(input_->message != nullptr && (body.find(ref + ",") != std::string_view::npos ||
                                         body.find(ref + "}") != std::string_view::npos),
          "a message is answered once", text);
  judge_.refuse(*input_->message);
}

void SignalHost::close(const call::CloseConnection& effect) {
  const SocketId socket = socket_of(effect.connection);
  if (connections_.erase(socket) == 0) return;
  ledger_->close(effect.connection, effect.code, effect.reason);
  network_.close_down(socket, effect.code, effect.reason);
}

void SignalHost::check() {
  const auto broken = core_->broken_invariant();
  require(!broken, "the server's tables agree", broken.value_or(""));
  const call::Server::Counts counts = core_->counts();
  ledger_->compare(counts.sessions);
  // The error of a dial has gone with its connection.
  const auto* dial = input_->message != nullptr ? std::get_if<signal::Dial>(input_->message) : nullptr;
  const bool lacks_call = stage_.plan.is_tight && dial != nullptr && !judge_.was_made(dial->call.text());
  if (lacks_call) judge_.refuse(*input_->message);
  require(counts.calls == judge_.live(), "the server has the calls that live",
          fmt::format("{} instead of {}", counts.calls, judge_.live()));
}

void SignalHost::arm() {
  Instant next = core_->next_deadline();
  for (const auto& [socket, connection] : connections_) {
    if (!connection.has_greeted) next = std::min(next, connection.hello_due);
  }
  timer_.cancel();
  if (next == kNever) return;
  timer_.set(std::max(next - stage_.now(), Duration::zero()), [this] { run_deadlines(); });
}

void SignalHost::check_nothing_left() const {
  if (!core_) return;
  const call::Server::Counts counts = core_->counts();
  require(connections_.empty(), "no socket is left", std::to_string(connections_.size()));
  require(counts.sessions == 0 && counts.connections == 0, "no session is left",
          std::to_string(counts.sessions));
  require(counts.calls == 0, "no call is left", std::to_string(counts.calls));
  require(core_->next_deadline() == kNever, "no deadline is left", "one is set");
}

}  // namespace offhook::sim
