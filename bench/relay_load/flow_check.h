#pragma once
// Stamps every payload with its flow, phase, sequence number and time, and checks each one that arrives:
// once, whole, at the right place, and how long after.
//
//   | flow (32) | phase (32) | sequence (32) | time (64) | mix of the four (32) | bytes that depend on flow
//   and position ... |

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "relay_load/delays.h"

namespace offhook::bench {

struct FlowCounts {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;    // whole, at the right place, for the first time
  std::uint64_t duplicated = 0;  // whole, at the right place, again
  std::uint64_t corrupted = 0;   // not the bytes that were sent
  std::uint64_t misrouted = 0;   // the bytes of one flow at the place, or from the place, of another
  std::uint64_t reordered = 0;   // received, but after a later one of its flow
  std::uint64_t stale = 0;       // of a phase that is over
  std::uint64_t lost() const { return sent > received ? sent - received : 0; }
};

class FlowCheck {
 public:
  static constexpr std::size_t kStampBytes = 24;

  // `payload_bytes` >= kStampBytes.
  FlowCheck(std::size_t flows, std::size_t payload_bytes);

  // Sequence numbers start again, counts are zero, and packets of the phase before count as stale.
  void begin_phase();
  // What time it is for all that is stamped or arrives from now on: nanoseconds of one clock that does not go
  // back.
  void set_time(std::uint64_t nanoseconds) { time_ns_ = nanoseconds; }
  // Writes the next payload of this flow; `payload` has payload_bytes.
  void stamp(std::size_t flow, MutableBytes payload);
  // A payload arrived where only those of `flow` belong.
  void arrived(std::size_t flow, Bytes payload);
  // Something arrived that belongs to no flow, or came from the wrong address.
  void arrived_misrouted() { ++counts_.misrouted; }

  const FlowCounts& counts() const { return counts_; }
  // Of what was received since they were cleared.
  Delays& delays() { return delays_; }
  std::size_t payload_bytes() const { return payload_bytes_; }
  std::size_t flows() const { return flows_.size(); }

 private:
  struct Flow {
    std::uint32_t next_sequence = 0;
    std::uint32_t highest_seen = 0;
    std::vector<bool> seen;
    Buffer tail;  // what follows the stamp
  };

  std::size_t payload_bytes_;
  std::uint32_t phase_ = 0;
  std::vector<Flow> flows_;
  FlowCounts counts_;
  std::uint64_t time_ns_ = 0;
  Delays delays_;
};

}  // namespace offhook::bench
