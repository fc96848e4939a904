#pragma once
// A permission: packets of this peer IP address may pass, either way (RFC 8656 section 9).

#include "base/time.h"
#include "core/turn/peer_policy.h"

namespace offhook::turn {

struct Permission {
  AllowedIp ip;
  Instant expires_at;
};

}  // namespace offhook::turn
