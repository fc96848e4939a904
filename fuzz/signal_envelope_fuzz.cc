// Each line of the input is one step of a signalling server with two users, one of whom has two devices:
//   a{...}  alice sends this frame      -a  alice's connection is gone     =NNN  so many milliseconds pass
//   b{...}  bob sends this frame        +b  bob connects, and resumes if he has a session
//   c{...}  so does his other device    -c +c  the same for that one
//   A"type":…}  alice sends this message, numbered as is due, and acknowledges what has come; B and C alike
//   *c_...  the callee is being woken   !c_...  nobody can be woken
// Any other line is parsed as a frame and goes nowhere. After each step the server's tables must agree, and
// all that it sends must be JSON. Half of the mutations are whole lines (fuzz/session_mutator.h).

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "core/call/server.h"
#include "session_mutator.h"
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

struct Device {
  char letter;
  std::string user;
  std::optional<ConnectionId> connection;
  std::optional<signal::Resume> resume;
  std::uint64_t sent = 0;
  std::uint64_t heard = 0;
};

class Session {
 public:
  void step(std::string_view line) {
    if (line.size() < 2) return;
    call::Outbox outbox;
    if (Device* device = device_of(line[0])) {
      send(*device, std::string(line.substr(1)), outbox);
    } else if (Device* numbering = device_of(lower(line[0]))) {
      send_numbered(*numbering, line.substr(1), outbox);
    } else if (line[0] == '-' || line[0] == '+') {
      if (Device* moving = device_of(line[1]))
        line[0] == '+' ? connect(*moving, outbox) : disconnect(*moving, outbox);
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
  static char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : '\0';
  }

  Device* device_of(char letter) {
    const auto device = std::ranges::find(devices_, letter, &Device::letter);
    return device == devices_.end() ? nullptr : &*device;
  }

  // Connects it if it is not, and lets it hear what that brings.
  void reach(Device& device, call::Outbox& outbox) {
    if (!device.connection) connect(device, outbox);
    carry_out(outbox);
    outbox.clear();
  }

  void send(Device& device, const std::string& frame, call::Outbox& outbox) {
    reach(device, outbox);
    if (!device.connection) return;
    auto parsed = signal::parse_client_frame(frame);
    const auto* numbered = parsed ? std::get_if<signal::Numbered>(&parsed->content) : nullptr;
    if (numbered != nullptr && numbered->seq == device.sent + 1) device.sent += 1;
    server_.handle_frame(*device.connection, std::move(parsed), now_, outbox);
  }

  void send_numbered(Device& device, std::string_view rest, call::Outbox& outbox) {
    reach(device, outbox);
    const std::string numbers =
        R"({"seq":)" + std::to_string(device.sent + 1) + R"(,"ack":)" + std::to_string(device.heard);
    send(device, numbers + "," + std::string(rest), outbox);
  }

  void connect(Device& device, call::Outbox& outbox) {
    device.connection = ConnectionId{++last_connection_};
    if (device.resume) device.resume->ack = device.heard;
    server_.handle_hello(*device.connection, {.user = device.user}, device.resume, now_, outbox);
  }

  void disconnect(Device& device, call::Outbox& outbox) {
    if (!device.connection) return;
    server_.handle_connection_closed(*device.connection, now_, outbox);
    device.connection.reset();
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
    const auto device = std::ranges::find_if(
        devices_, [&frame](const Device& one) { return one.connection == frame.connection; });
    if (device == devices_.end()) return;
    json::Fields fields(document->root());
    if (fields.string("type", {.max = 64}) == "welcome") return welcome(*device, fields);
    if (const auto seq = fields.optional_integer("seq", 0, INT64_MAX)) {
      // Each message comes once, in order, whatever the client has done.
      require(static_cast<std::uint64_t>(*seq) == device->heard + 1);
      device->heard += 1;
    }
  }

  static void welcome(Device& device, json::Fields& fields) {
    const std::string session(fields.string("session", {.max = 64}));
    if (!device.resume || device.resume->session != session) device.heard = 0;
    device.sent = static_cast<std::uint64_t>(fields.integer("ack", 0, INT64_MAX));
    device.resume =
        signal::Resume{session, Secret(std::string(fields.string("resume_token", {.max = 64}))), 0, 0};
  }

  void closed(const call::CloseConnection& close) {
    require(close.reason.size() <= 123);
    for (Device& device : devices_) {
      if (device.connection != close.connection) continue;
      device.connection.reset();
      if (close.code == call::kCloseReplaced)
        device.resume.reset();  // it came late; the next one begins anew
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
  std::array<Device, 3> devices_{Device{'a', "alice", {}, {}}, Device{'b', "bob", {}, {}},
                                 Device{'c', "bob", {}, {}}};
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

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  return fuzz::mutate_session(bytes, size, max_size, seed);
}
