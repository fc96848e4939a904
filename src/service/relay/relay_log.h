#pragma once
// What the relay of one shard says about itself, and counts. Allocations are lines of level debug; refusals
// are lines of level info, so many a second, and the rest is counted in one line. Addresses are redacted
// (base/redact.h).

#include <cstdint>

#include "core/turn/types.h"
#include "service/relay/relay_counters.h"

namespace offhook::relay {

class RelayLog {
 public:
  // Lines about refusals a second: a scanner or a client with a wrong password repeats itself without end.
  static constexpr std::uint64_t kRefusalLinesLimit = 5;

  explicit RelayLog(ShardCounters& counters) : counters_(counters) {}

  void audit(const turn::Audit& audit, Instant now);
  // A relay socket could not be opened for want of ports or because of `code`, an errno (0: none).
  void no_relay_socket(int code, Instant now);

 private:
  bool may_write(Instant now);

  ShardCounters& counters_;
  Instant second_began_{};
  std::uint64_t lines_ = 0;       // in this second
  std::uint64_t suppressed_ = 0;  // since the last line
};

}  // namespace offhook::relay
