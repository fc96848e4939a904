#pragma once
// A permission: packets of this peer IP address may pass, either way (RFC 8656 section 9).

#include "base/time.h"
#include "core/turn/peer_policy.h"

namespace offhook::turn {

struct Permission {
  AllowedIp ip;
  Instant expires_at;   // kNever while a call introduces this address
  Instant asked_until;  // what the client itself asked for; the beginning of time if it never did

  bool is_introduced() const { return expires_at == kNever; }
};

}  // namespace offhook::turn
