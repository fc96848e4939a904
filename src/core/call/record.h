#pragma once
// What the app's backend may know of a call, a user and a revocation: values that live on their own.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/call/effects.h"
#include "core/call/transitions.h"
#include "core/call/verdict.h"
#include "wire/signal/types.h"

namespace offhook::call {

// How the call ended for one of its two ends, as that end was told.
struct EndTold {
  signal::EndReason reason = signal::EndReason::error;
  Verdict verdict;
};

struct CallRecord {
  std::uint64_t serial = 0;  // counts calls in the order in which they were dialled, from 1
  signal::CallId call;
  std::string caller;
  std::string callee;
  signal::Media media;
  State state = State::dialing;
  bool accepted = false;
  bool connected = false;  // both ends decoded media
  Instant dialled_at;
  Duration lasted{};                 // since the dial, until the end or so far
  std::optional<EndTold> to_caller;  // once it has ended
  std::optional<EndTold> to_callee;
  std::vector<TimelineEntry> timeline;
  std::optional<signal::RoomName> room = std::nullopt;  // of a call between two of its members
};

// Calls that live and calls that are remembered, the youngest dial first.
struct CallQuery {
  std::optional<std::string> user;      // caller or callee
  std::optional<bool> live;             // these alone
  std::optional<std::uint64_t> before;  // older than the call of this serial
  std::size_t limit = 0;
};
struct CallPage {
  std::vector<CallRecord> calls;
  std::optional<std::uint64_t> next_before;  // of the query for the next page; nothing if this is the last
};

// Where a user can be rung now.
struct Presence {
  struct Device {
    std::string session;
    bool connected = false;  // else it is in its grace, and rings when it is back
    std::vector<signal::CallId> calls;
  };
  std::vector<Device> devices;  // in the order in which they signed in
  bool in_call = false;         // one of them is in an accepted call
};

// A call that the backend has asked a user's devices to make.
struct Placed {
  signal::CallId call;
  std::size_t devices = 0;  // so many were asked
  bool is_blocked = false;  // one of the two has blocked the other, and nobody was asked
};

// Whom a user has blocked, in the order of their names.
struct BlockPage {
  std::vector<std::string> users;
  bool has_more = false;  // the next page is of those after the last one
};

struct Revoked {
  std::size_t sessions = 0;
  std::size_t calls = 0;
};

}  // namespace offhook::call
