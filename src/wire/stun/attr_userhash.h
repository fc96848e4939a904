#pragma once
// USERHASH (RFC 8489 section 14.4): 32 bytes in place of USERNAME, made by userhash() of long_term_key.h.

#include <optional>

#include "base/bytes.h"
#include "wire/stun/long_term_key.h"
#include "wire/stun/message.h"

namespace offhook::stun {

// Nothing if the value does not have 32 bytes.
std::optional<Userhash> parse_userhash(Bytes value);
void add_userhash(MessageBuilder& builder, const Userhash& userhash);

}  // namespace offhook::stun
