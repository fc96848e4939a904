// Each line of the input is one step of a signalling server with two users:
//   a{...}  alice sends this frame      -a  alice's connection is gone     =NNN  so many milliseconds pass
//   b{...}  bob sends this frame        +b  bob connects, and resumes if he has a session
//   *c_...  the callee is being woken   !c_...  nobody can be woken
// Any other line is parsed as a frame and goes nowhere. After each step the server's tables must agree, and
// all that it sends must be JSON.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "core/call/server.h"
#include "wire/json/json.h"

namespace {

using namespace offhook;
using call::ConnectionId;

void require(bool holds) {
  if (!holds) std::abort();
}

// Never the same twice, as 128 random bits would be.
class CountingRandom final : public Random {
 public:
  void fill(MutableBytes target) override {
    next_ += 1;
    for (std::size_t i = 0; i < target.size(); ++i) {
      target[i] = static_cast<std::uint8_t>(i < sizeof next_ ? next_ >> (8U * i) : 0U);
    }
  }

 private:
  std::uint64_t next_ = 0;
};

struct User {
  std::string name;
  std::optional<ConnectionId> connection;
  std::optional<signal::Resume> resume;
};

class Session {
 public:
  void step(std::string_view line) {
    if (line.size() < 2) return;
    User* user = user_of(line[0] == 'a' || line[0] == 'b' ? line[0] : line[1]);
    call::Outbox outbox;
    if (line[0] == 'a' || line[0] == 'b') {
      if (!user->connection) connect(*user, outbox);
      if (user->connection) {
        server_.handle_frame(*user->connection, signal::parse_client_frame(line.substr(1)), now_, outbox);
      }
    } else if (line[0] == '-' && user != nullptr && user->connection) {
      server_.handle_connection_closed(*user->connection, now_, outbox);
      user->connection.reset();
    } else if (line[0] == '+' && user != nullptr) {
      connect(*user, outbox);
    } else if (line[0] == '*' || line[0] == '!') {
      const auto id = signal::CallId::parse(line.substr(1));
      const auto waking = line[0] == '*' ? call::Waking::under_way : call::Waking::failed;
      if (id) server_.handle_waking(*id, waking, now_, outbox);
    } else if (line[0] == '=') {
      now_ += std::chrono::milliseconds(std::strtoul(std::string(line.substr(1, 5)).c_str(), nullptr, 10));
      server_.handle_deadlines(now_, outbox);
    } else {
      (void)signal::parse_client_frame(line);
    }
    carry_out(outbox);
    require(!server_.broken_invariant());
  }

  void finish() {
    call::Outbox outbox;
    server_.shutdown(now_, outbox);
    require(server_.counts().sessions == 0 && server_.counts().calls == 0);
    require(server_.next_deadline() == kNever);
  }

 private:
  User* user_of(char letter) {
    if (letter == 'a') return &users_[0];
    return letter == 'b' ? &users_[1] : nullptr;
  }

  void connect(User& user, call::Outbox& outbox) {
    user.connection = ConnectionId{++last_connection_};
    server_.handle_hello(*user.connection, {.user = user.name}, user.resume, now_, outbox);
  }

  void carry_out(const call::Outbox& outbox) {
    for (const call::Effect& effect : outbox) {
      if (const auto* frame = std::get_if<call::SendFrame>(&effect)) sent(*frame);
      if (const auto* close = std::get_if<call::CloseConnection>(&effect)) closed(*close);
    }
  }

  void sent(const call::SendFrame& frame) {
    const auto document = json::parse(frame.text, {.max_bytes = 1U << 20U});
    require(document.has_value());
    json::Fields fields(document->root());
    if (fields.string("type", {.max = 64}) != "welcome") return;
    for (User& user : users_) {
      if (user.connection != frame.connection) continue;
      user.resume = signal::Resume{std::string(fields.string("session", {.max = 64})),
                                   Secret(std::string(fields.string("resume_token", {.max = 64}))), 0, 0};
    }
  }

  void closed(const call::CloseConnection& close) {
    require(close.reason.size() <= 123);
    for (User& user : users_) {
      if (user.connection != close.connection) continue;
      user.connection.reset();
      if (close.code == call::kCloseReplaced) user.resume.reset();  // it came late; the next one begins anew
    }
  }

  // Small limits are reached by small inputs.
  static call::Settings settings() {
    call::Settings settings;
    settings.max_queued_messages = 20;
    settings.max_queued_bytes = 4000;
    settings.max_candidates = 3;
    settings.max_offers_before_accept = 4;
    settings.is_own_relay = [](const Address& address) { return address.port % 2 == 0; };
    settings.max_early_messages = 4;
    settings.max_dialled_calls_per_session = 2;
    settings.max_incoming_calls_per_session = 2;
    settings.max_sessions_per_user = 2;
    settings.max_blocks_per_user = 2;
    return settings;
  }

  CountingRandom random_;
  call::Server server_{settings(), random_};
  Instant now_{std::chrono::hours(1)};
  std::array<User, 2> users_{User{"alice", {}, {}}, User{"bob", {}, {}}};
  std::uint64_t last_connection_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view rest = as_text(Bytes(bytes, size));
  Session session;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    session.step(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  session.finish();
  return 0;
}
