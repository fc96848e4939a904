#pragma once
// One direction of a link: decides for each packet whether it passes, and when. Time is given, nothing is
// read here.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace offhook::lab {

using Time = std::chrono::nanoseconds;  // since the start of the monotonic clock

// The TUN devices have an MTU of 1500; nothing larger is ever read.
inline constexpr std::size_t kPacketBytesMax = 2048;

struct Packet {
  std::array<std::byte, kPacketBytesMax> bytes;
  std::size_t size = 0;
};

// A delay of its own for the packets of one port (either end), so that signalling can be slower than media.
struct Rule {
  std::uint8_t protocol = 0;  // of the IP header
  std::uint16_t port = 0;
  Time delay{};
};

struct Conditions {
  Time delay{};
  Time jitter{};  // uniform, to either side of the delay
  double loss = 0;
  double rate_bits_per_s = 0;  // 0: unlimited
  Time queue_limit = std::chrono::milliseconds(200);
  bool cut = false;
  bool reorder = false;  // whether jitter may change the order
  std::vector<Rule> rules;
};

struct Counters {
  std::uint64_t entered = 0;
  std::uint64_t entered_bytes = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  std::uint64_t cut = 0;
  std::uint64_t overflowed = 0;  // the queue in front of the rate limit was full
  std::uint64_t refused = 0;     // the far device did not take it, for instance because it is down
};

class Path {
 public:
  explicit Path(std::uint64_t seed) : random_state_(seed) {}

  const Conditions& conditions() const { return conditions_; }
  void set_conditions(Conditions conditions);

  // The time at which the packet leaves, or nothing if it is dropped.
  std::optional<Time> admit(std::span<const std::byte> packet, Time now);

  // Packets wait here in the order of their times.
  void hold(std::unique_ptr<Packet> packet, Time due);
  std::optional<Time> next_due() const;
  std::unique_ptr<Packet> take_due(Time now);
  std::size_t held() const { return held_.size(); }

  Counters counters;

 private:
  struct Held {
    Time due;
    std::unique_ptr<Packet> packet;
  };

  double uniform();
  Time jitter();
  std::size_t lane_of(std::span<const std::byte> packet) const;

  Conditions conditions_;
  std::uint64_t random_state_;
  Time line_free_{};                    // when the rate limit has sent all that it took
  std::vector<Time> last_due_{Time{}};  // per lane: the default, then one a rule
  std::deque<Held> held_;
};

}  // namespace offhook::lab
