#pragma once
// What one shard's server consists of; the handlers of the methods work on it.

#include <cstdint>

#include "core/turn/allocations.h"
#include "core/turn/authentication.h"
#include "core/turn/introductions.h"
#include "core/turn/peer_policy.h"
#include "core/turn/ports.h"
#include "core/turn/reply.h"
#include "core/turn/settings.h"

namespace offhook::turn {

// Transaction IDs of indications. Nothing answers an indication, so they need be different, not secret: a
// keyed counter spares the data path the system's generator.
class IndicationIds {
 public:
  explicit IndicationIds(Random& random) : key_(random.next_u64()), head_(random.next_u64()) {}
  stun::TransactionId next();

 private:
  std::uint64_t key_;
  std::uint64_t head_;
  std::uint64_t count_ = 0;
};

struct Shard {
  Shard(const Settings& operator_settings, const Dependencies& borrowed)
      : settings(operator_settings),
        payload_rate(PayloadRate::of(operator_settings.payload_bytes_per_s)),
        dependencies(borrowed),
        policy(operator_settings, borrowed.live_relays),
        authentication(operator_settings, borrowed.credentials),
        replies(authentication),
        allocations(borrowed.random),
        indication_ids(borrowed.random) {}
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  Settings settings;
  PayloadRate payload_rate;
  Dependencies dependencies;
  PeerPolicy policy;
  Authentication authentication;
  Replies replies;
  Allocations allocations;
  Introductions introductions;
  IndicationIds indication_ids;
};

}  // namespace offhook::turn
