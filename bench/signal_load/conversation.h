#pragma once
// Two clients that have one call after the other, whatever they say to each other; and who makes them begin.

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace offhook::bench {

class Conversation {
 public:
  virtual ~Conversation() = default;
  // Precondition: no call is under way. `serial` was never used before on this server.
  virtual void dial(std::size_t serial, Instant due) = 0;
};

class Operator {
 public:
  virtual ~Operator() = default;
  enum class Step : std::uint8_t { incoming, ringing, accepted };
  // `dialled` is when the call was due. `span` is what it took: incoming and ringing since then, accepted
  // since the callee's accept.
  virtual void note(Step step, Instant dialled, Duration span) = 0;
  // Both sides have heard of the end.
  virtual void handle_over(Conversation& conversation) = 0;
};

}  // namespace offhook::bench
