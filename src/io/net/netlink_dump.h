#pragma once
// All that the kernel has of one kind in the calling thread's network namespace (netlink(7), NLM_F_DUMP).

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "io/net/netlink_message.h"

namespace offhook::io {

// `request`: a whole message with NLM_F_DUMP, or with NLM_F_ACK for a single answer. Returns what `describe`
// says of the first message of which it says anything, "" if of none. Fails with an errno; EINTR: it changed
// during each of a few readings.
Result<std::string, int> first_in_dump(int protocol, Bytes request,
                                       std::string (*describe)(const NetlinkMessage&));

}  // namespace offhook::io
