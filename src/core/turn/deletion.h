#pragma once
// A recent deletion: what a late copy of the packets that led to it is answered with.

#include "core/turn/types.h"
#include "wire/stun/message.h"

namespace offhook::turn {

// Retransmissions end 39.5 s after the first packet (RFC 8489 section 6.2.1).
inline constexpr std::chrono::seconds kDeletionLifetime{40};
// Beyond this the oldest is forgotten: then a lost answer to a deletion costs its client a 437, which says
// the same.
inline constexpr std::size_t kDeletionsLimit = 4096;

struct Deletion {
  FiveTuple five_tuple;
  stun::TransactionId allocate_transaction_id{};  // a late copy of that request must not allocate again
  stun::TransactionId refresh_transaction_id{};   // a late copy of that request gets `answer`
  Buffer answer;
  Instant forgotten_at;
};

}  // namespace offhook::turn
