#pragma once
// How much payload an allocation may relay each way: so many bytes a second, and some at once. What is over
// the limit is dropped. The same arithmetic as the fast path's (bpf/onward.h), which has limits of its own
// for the channels that it relays.

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace offhook::turn {

// Half a second's worth may pass at once, and at least this much: a picture from which decoding can begin
// comes as some dozen packets in a row.
inline constexpr std::uint64_t kLeastPayloadBurstBytes = 16 * 1024;

constexpr std::uint64_t payload_burst_bytes(std::uint64_t bytes_per_s) {
  return std::max(bytes_per_s / 2, kLeastPayloadBurstBytes);
}

// As times, which cost no division a packet.
struct PayloadRate {
  Duration per_kib{};  // 0: no limit
  Duration burst{};

  static constexpr PayloadRate of(std::uint64_t bytes_per_s) {
    if (bytes_per_s == 0) return {};
    const auto per_kib =
        static_cast<std::int64_t>(std::max<std::uint64_t>(1, 1'000'000'000ULL * 1024 / bytes_per_s));
    const auto burst_kib = static_cast<std::int64_t>(payload_burst_bytes(bytes_per_s) / 1024);
    return {Duration(per_kib), Duration(per_kib * burst_kib)};
  }
};

// One way of one allocation.
class PayloadLimit {
 public:
  // False if this packet is over the limit.
  bool take(std::size_t bytes, const PayloadRate& rate, Instant now) {
    if (rate.per_kib == Duration::zero()) return true;
    const Instant due = std::max(due_, now);
    if (due - now > rate.burst) return false;
    due_ = due + rate.per_kib * static_cast<std::int64_t>(bytes) / 1024;
    return true;
  }

 private:
  Instant due_{};  // when what has passed would have passed at an even rate
};

}  // namespace offhook::turn
