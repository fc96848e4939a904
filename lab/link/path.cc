#include "path.h"

#include <algorithm>

namespace offhook::lab {
namespace {

struct Ports {
  std::uint8_t protocol;
  std::uint16_t source;
  std::uint16_t destination;
};

std::uint8_t octet(std::span<const std::byte> packet, std::size_t at) {
  return std::to_integer<std::uint8_t>(packet[at]);
}

std::uint16_t number16(std::span<const std::byte> packet, std::size_t at) {
  return static_cast<std::uint16_t>((octet(packet, at) << 8) | octet(packet, at + 1));
}

bool has_ports(std::uint8_t protocol) { return protocol == 6 || protocol == 17; }

// Ports of a TCP or UDP packet. Later fragments and IPv6 extension headers have none: they follow the
// default.
std::optional<Ports> ports_of(std::span<const std::byte> packet) {
  if (packet.size() < 20) return std::nullopt;
  const int version = octet(packet, 0) >> 4;
  std::size_t payload = 0;
  std::uint8_t protocol = 0;
  if (version == 4) {
    if ((number16(packet, 6) & 0x1FFFU) != 0) return std::nullopt;
    payload = static_cast<std::size_t>(octet(packet, 0) & 0x0FU) * 4;
    protocol = octet(packet, 9);
  } else if (version == 6) {
    payload = 40;
    protocol = octet(packet, 6);
  }
  if (!has_ports(protocol) || packet.size() < payload + 4) return std::nullopt;
  return Ports{protocol, number16(packet, payload), number16(packet, payload + 2)};
}

}  // namespace

void Path::set_conditions(Conditions conditions) {
  conditions_ = std::move(conditions);
  last_due_.assign(conditions_.rules.size() + 1, Time{});
  line_free_ = Time{};
  // What is under way on a path that is cut does not arrive either.
  if (!conditions_.cut) return;
  counters.cut += held_.size();
  held_.clear();
}

std::optional<Time> Path::admit(std::span<const std::byte> packet, Time now) {
  ++counters.entered;
  counters.entered_bytes += packet.size();
  if (conditions_.cut) {
    ++counters.cut;
    return std::nullopt;
  }
  if (conditions_.loss > 0 && uniform() < conditions_.loss) {
    ++counters.lost;
    return std::nullopt;
  }
  Time sent = now;
  if (conditions_.rate_bits_per_s > 0) {
    const Time begin = std::max(now, line_free_);
    if (begin - now > conditions_.queue_limit) {
      ++counters.overflowed;
      return std::nullopt;
    }
    const double seconds = static_cast<double>(packet.size()) * 8 / conditions_.rate_bits_per_s;
    line_free_ = begin + Time(static_cast<Time::rep>(seconds * 1e9));
    sent = line_free_;
  }
  const std::size_t lane = lane_of(packet);
  const Time delay = lane == 0 ? conditions_.delay : conditions_.rules[lane - 1].delay;
  const Time due = sent + std::max(Time{}, delay + jitter());
  if (conditions_.reorder) return due;
  last_due_[lane] = std::max(last_due_[lane], due);
  return last_due_[lane];
}

void Path::hold(std::unique_ptr<Packet> packet, Time due) {
  const auto later = [](Time time, const Held& held) { return time < held.due; };
  const auto place = std::upper_bound(held_.begin(), held_.end(), due, later);
  held_.insert(place, Held{due, std::move(packet)});
}

std::optional<Time> Path::next_due() const {
  if (held_.empty()) return std::nullopt;
  return held_.front().due;
}

std::unique_ptr<Packet> Path::take_due(Time now) {
  if (held_.empty() || held_.front().due > now) return nullptr;
  std::unique_ptr<Packet> packet = std::move(held_.front().packet);
  held_.pop_front();
  return packet;
}

// splitmix64: small, and the same everywhere for the same seed.
double Path::uniform() {
  random_state_ += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = random_state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
  mixed ^= mixed >> 31;
  return static_cast<double>(mixed >> 11) * 0x1p-53;
}

Time Path::jitter() {
  if (conditions_.jitter == Time{}) return Time{};
  const double share = 2 * uniform() - 1;
  return Time(static_cast<Time::rep>(share * static_cast<double>(conditions_.jitter.count())));
}

std::size_t Path::lane_of(std::span<const std::byte> packet) const {
  if (conditions_.rules.empty()) return 0;
  const auto ports = ports_of(packet);
  if (!ports) return 0;
  for (std::size_t i = 0; i < conditions_.rules.size(); ++i) {
    const Rule& rule = conditions_.rules[i];
    const bool port_matches = rule.port == ports->source || rule.port == ports->destination;
    if (rule.protocol == ports->protocol && port_matches) return i + 1;
  }
  return 0;
}

}  // namespace offhook::lab
