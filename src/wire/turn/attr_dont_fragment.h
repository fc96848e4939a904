#pragma once
// DONT-FRAGMENT (RFC 8656 section 18.9): no value; asks for the DF bit on what goes to the peer.

#include <optional>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::turn {

struct DontFragment {};

// Nothing if there is a value.
std::optional<DontFragment> parse_dont_fragment(Bytes value);
void add_dont_fragment(stun::MessageBuilder& builder, DontFragment dont_fragment = {});

}  // namespace offhook::turn
