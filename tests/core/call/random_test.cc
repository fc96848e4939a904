// Random operations of a few users with several devices each: dials, answers, candidates, cuts, resumes,
// losses, rooms, time. After each step the server's tables agree with each other, and each device has seen
// what the protocol allows (exchange.h looks).

#include <algorithm>

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : exchange(settings(), seed), dice_(seed) {
    for (const std::string user : {"alice", "bob", "carol"}) {
      for (int i = 0; i < 2; ++i) exchange.add(user, kWarmPaths[seed % 2 == 0 ? below(3) : 1]);
    }
  }

  void step() {
    Device& device = exchange.devices[below(exchange.devices.size())];
    if (!device.connection && below(2) == 0) return exchange.connect(device);
    switch (below(40)) {
      case 0:
        return exchange.cut(device);
      case 1:
        return exchange.connect(device);
      case 2:
        return lose_frames(device);
      case 3:
        return exchange.send(device, R"("type":"bye")");
      case 4:
        return exchange.advance_alive(seconds(below(20)));
      case 5:
        return exchange.advance(seconds(below(40)));
      case 6:
      case 7:
      case 8:
        return exchange.advance(milliseconds(60));
      case 9:
      case 10:
        return exchange.acknowledge(device);
      case 11:
      case 12:
        return exchange.send(device, new_call(device));
      case 13:
        return everybody_says(accept(newest_call()));
      case 14:
      case 15:
        return everybody_says(connected(newest_call()));
      case 16:
        return exchange.waking(newest_call(), below(3) != 0 ? Waking::under_way : Waking::failed);
      case 17:
        if (below(4) == 0) exchange.crash(below(2) == 0);
        return everybody_tells();
      case 18:
        return exchange.send(device, told(device));
      case 19:
        return exchange.send(device, below(3) != 0 ? join(room()) : leave(room()));
      case 20:
        return exchange.send(device, in_room(new_call(device), room()));
      case 22:
        return meet(device);
      case 21:
        return everybody_says(join(room()));
      case 23:
        return change_blocks(device);
      default:
        return exchange.send(device, message());
    }
  }

  void finish() {
    exchange.advance(seconds(120));
    exchange.check();
    EXPECT_EQ(exchange.server.counts().sessions, 0U);
    EXPECT_EQ(exchange.server.counts().calls, 0U);
    EXPECT_EQ(exchange.server.next_deadline(), kNever);
  }

  Exchange exchange;

 private:
  static Settings settings() {
    Settings settings;
    settings.max_queued_messages = 40;
    settings.max_queued_bytes = 8000;
    settings.max_candidates = 5;
    settings.max_dialled_calls_per_session = 3;
    settings.max_incoming_calls_per_session = 4;
    settings.max_sessions_per_user = 3;
    settings.max_rooms_per_user = 1;
    settings.max_blocks_per_user = 2;
    settings.dials_per_minute = 600;
    return settings;
  }

  std::uint64_t below(std::uint64_t bound) { return dice_.below(bound); }

  // The connection breaks at one of the next frames.
  void lose_frames(Device& device) { device.cut_after = device.frames_seen + below(6); }

  // Somebody joins the room that the device is in then, and dials it.
  void meet(Device& device) {
    Device& newcomer = exchange.devices[below(exchange.devices.size())];
    calls_ += 1;
    exchange.send(device, join("standup"));
    exchange.send(newcomer, join("standup"));
    exchange.send(newcomer, in_room(dial(newest_call(), device.user), "standup"));
  }

  // Few, and not for long, as nothing else happens between two of whom one has blocked the other.
  void change_blocks(Device& device) {
    static const std::string kUsers[] = {"alice", "bob", "carol", "nobody"};
    for (const std::string& user : kUsers) exchange.send(device, unblock(user));
    if (below(2) == 0) exchange.send(device, block(kUsers[below(4)]));
  }

  // From every device, so that those who have a part in the call are among them.
  void everybody_says(const std::string& members) {
    for (Device& device : exchange.devices) exchange.send(device, members);
  }

  void everybody_tells() {
    for (Device& device : exchange.devices) {
      if (!device.connection) exchange.connect(device);
      exchange.send(device, told(device));
    }
  }

  std::string told(const Device& device) {
    static const std::string kStates[] = {"ringing", "accepted", "connected"};
    static const std::string kReasons[] = {"hangup", "declined", "busy", "answered_elsewhere", "no_answer"};
    const std::string name = std::to_string(calls_ - std::min<std::uint64_t>(calls_, below(2)));
    const std::string role = device.user == "alice" || below(8) == 0 ? "caller" : "callee";
    const std::string peer = device.user == "alice" ? "bob" : "alice";
    if (below(5) == 0) return over(name, peer, role, kReasons[below(5)], below(2) == 0);
    const std::string talks =
        snapshot(name, peer, role, kStates[below(3)], R"(,"generation":)" + std::to_string(below(3)));
    return below(3) == 0 ? in_room(talks, room()) : talks;
  }

  std::string room() { return below(4) == 0 ? "other" : "standup"; }

  std::string newest_call() const { return std::to_string(calls_); }

  std::string new_call(const Device& device) {
    static const std::string kUsers[] = {"alice", "bob", "carol", "nobody"};
    calls_ += below(3) != 0 ? 1U : 0U;
    const std::string& to = kUsers[below(4)];
    return dial(std::to_string(calls_), to == device.user ? "bob" : to);
  }

  std::string message() {
    const std::string name = std::to_string(calls_ - std::min<std::uint64_t>(calls_, below(3)));
    const int generation = static_cast<int>(below(3));
    static const std::string kRejects[] = {"declined", "busy", "media_denied"};
    static const std::string kHangups[] = {"hangup", "ice_failed", "error"};
    switch (below(14)) {
      case 12:
        return below(2) == 0 ? R"("type":"elsewhere")" : state(name, below(2) == 0 ? "true" : "false");
      case 13:
        return take(name);
      case 0:
      case 1:
        return ringing(name);
      case 2:
        return accept(name);
      case 3:
        return below(3) == 0 ? reject(name, kRejects[below(3)]) : ringing(name);
      case 4:
        return below(3) == 0 ? hangup(name, kHangups[below(3)]) : connected(name);
      case 5:
      case 6:
        if (below(4) == 0) return fresh_offer(name, generation, description());
        return offer(name, generation, description());
      case 7:
      case 8:
        return answer(name, generation, description());
      default:
        return candidate(name, generation, candidate_line());
    }
  }

  std::string candidate_line() {
    const std::string number = std::to_string(below(8));
    switch (below(4)) {
      case 0:
        return "";
      case 1:
        return "candidate:1 1 udp 1 203.0.113." + number + " 5000 typ relay raddr 192.0.2.1 rport 5";
      case 2:
        return "k 192.0.2." + number;
      default:
        return "candidate:1 1 udp 1 192.0.2." + number + " 5000 typ host";
    }
  }

  std::string description() {
    std::string text =
        "o=- 1 1 IN IP4 192.0.2.1\\r\\n" + std::string(below(300), 's') + "\\r\\nm=a 1 b\\r\\n";
    for (std::uint64_t i = below(3); i > 0; --i) text += "a=" + candidate_line() + "\\r\\n";
    return text + "c=IN IP4 192.0.2.1\\r\\n";
  }

  SeededRandom dice_;
  std::uint64_t calls_ = 1;
};

TEST(Random, TheTablesAgreeAfterEveryStep) {
  std::size_t accepted = 0;
  std::size_t connected_calls = 0;
  std::size_t in_rooms = 0;
  std::size_t blocked = 0;
  std::size_t restored = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Chaos chaos(seed);
    for (int i = 0; i < 600; ++i) {
      chaos.step();
      chaos.exchange.check();
      if (::testing::Test::HasFatalFailure()) return;
    }
    for (const Device& device : chaos.exchange.devices) {
      restored += static_cast<std::size_t>(std::count_if(
          device.frames.begin(), device.frames.end(),
          [](const std::string& frame) { return frame.find(R"("type":"restored")") != std::string::npos; }));
    }
    chaos.finish();
    for (const CallEnded& record : chaos.exchange.records) {
      accepted += record.accepted ? 1U : 0U;
      blocked += record.reason == signal::EndReason::blocked ? 1U : 0U;
      in_rooms += record.room && record.connected ? 1U : 0U;
      connected_calls += record.connected ? 1U : 0U;
    }
  }
  EXPECT_GT(restored, 100U);
  // The operations reach the states that they are meant to shake.
  EXPECT_GT(accepted, 100U);
  EXPECT_GT(connected_calls, 10U);
  EXPECT_GT(in_rooms, 10U);
  EXPECT_GT(blocked, 100U);
}

}  // namespace
}  // namespace offhook::call
