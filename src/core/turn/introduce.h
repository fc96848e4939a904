#pragma once
// What introductions do to allocations: a permission without end while the call lives.

#include <string_view>

#include "core/turn/shard.h"

namespace offhook::turn {

// An address that the gate refuses is no peer, however it was introduced. False if a limit is reached.
bool introduce(Shard& shard, std::string_view user, std::string_view call, const Ip& named, Instant now,
               Outbox& outbox);
// Permissions that no other call of the user holds last as long as the client itself asked for them, and end
// now if it did not.
void end_introductions(Shard& shard, std::string_view call, Instant now, Outbox& outbox);
// For an allocation that has just come to life. The caller schedules it.
void permit_introduced(Shard& shard, Allocation& allocation);

// Empty if permissions without end and introductions agree.
std::string_view broken_rule_of_introductions(Shard& shard);

}  // namespace offhook::turn
