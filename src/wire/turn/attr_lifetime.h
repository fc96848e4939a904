#pragma once
// LIFETIME (RFC 8656 section 18.2): seconds until the allocation expires, 32 bits.

#include <chrono>
#include <optional>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::turn {

// Nothing if the length is not four.
std::optional<std::chrono::seconds> parse_lifetime(Bytes value);
// `lifetime` is 0 to 2^32 - 1 seconds.
void add_lifetime(stun::MessageBuilder& builder, std::chrono::seconds lifetime);

}  // namespace offhook::turn
