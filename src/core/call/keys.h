#pragma once
// Names of the things inside the server; each kind has a type of its own.

#include <compare>
#include <cstdint>
#include <functional>

#include "base/deadline_heap.h"
#include "base/slab.h"
#include "core/call/effects.h"

namespace offhook::call {

struct SessionKey {
  SlabId slot;
  auto operator<=>(const SessionKey&) const = default;
};

struct CallKey {
  SlabId slot;
  auto operator<=>(const CallKey&) const = default;
};

enum class Timer : std::uint8_t {
  silence,      // session with a connection: nothing heard for so long
  grace,        // session without a connection: how long it is kept
  credentials,  // session with a connection: when its TURN credentials are half used up
  ack,          // session: the acknowledgement that waits for a frame to travel on
  ring,         // call: how long it may go without an accept
  unreachable,  // call: how long the callee may be without a session
  claim,        // what a session has told of a call: how long it waits for the other side
};

struct DeadlineKey {
  Timer timer = Timer::silence;
  SlabId slot;  // of a session, a call or a claim, as the timer says
  auto operator<=>(const DeadlineKey&) const = default;
};

struct DeadlineKeyHash {
  std::size_t operator()(const DeadlineKey& key) const {
    // The generation of a slot in use is far below 2^29, so nothing is shifted out.
    return (std::hash<SlabId>()(key.slot) << 3U) ^ static_cast<std::size_t>(key.timer);
  }
};

using Deadlines = DeadlineHeap<DeadlineKey, DeadlineKeyHash>;

// What every step needs: the time of this batch, and where its effects go.
struct Step {
  Instant now;
  Outbox& outbox;
};

}  // namespace offhook::call
