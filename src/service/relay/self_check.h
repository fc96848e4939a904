#pragma once

#include <chrono>
#include <string>

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "core/credentials/turn_credentials.h"

namespace offhook::relay {

// Whom the check's allocation is counted for; empty if nobody is vouched for.
std::string user_of_check(const credentials::TurnCredentials& credentials);

// A client over UDP allocates at `server`, and sends a datagram to its own relayed address: it leaves the
// relay, enters it again, and comes back. A relayed address is the one kind of peer that every server
// permits, whatever its deny list. Blocks, at most `patience`; leaves nothing behind. The error names the
// step and what went wrong.
Result<void, std::string> check_relayed_echo(const Address& server,
                                             const credentials::TurnCredentials& credentials, UnixTime now,
                                             std::chrono::milliseconds patience);

}  // namespace offhook::relay
