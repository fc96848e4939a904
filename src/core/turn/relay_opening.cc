// The second half of Allocate: what happens when relay sockets open, or do not.

#include <array>
#include <cassert>

#include "core/turn/request.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/turn/attr_address_error_code.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_reservation_token.h"

namespace offhook::turn {
namespace {

using stun::AttributeType;
using stun::ErrorCode;

constexpr std::array<Family, 2> kFamilies = {Family::ipv4, Family::ipv6};

ErrorCode failure_of(const Allocation& allocation) {
  const bool ipv4_failed = allocation.relay(Family::ipv4).state == Relay::State::failed;
  return allocation.pending->failures[ipv4_failed ? 0 : 1];
}

Buffer success_answer(const Shard& shard, const Allocation& allocation) {
  const PendingAllocate& pending = *allocation.pending;
  return shard.replies.success(pending.reply_to, [&](stun::MessageBuilder& answer) {
    for (const Family family : kFamilies) {
      if (!allocation.relays_family(family)) continue;
      stun::add_xor_address(answer, AttributeType::xor_relayed_address,
                            shard.policy.external(allocation.relay(family).address));
    }
    add_lifetime(answer, pending.lifetime);
    if (pending.reserves) add_reservation_token(answer, *pending.reserves);
    stun::add_xor_address(answer, AttributeType::xor_mapped_address,
                          pending.reply_to.client.five_tuple.client_address);
    for (const Family family : kFamilies) {
      if (allocation.relay(family).state != Relay::State::failed) continue;
      const ErrorCode code = pending.failures[family == Family::ipv4 ? 0 : 1];
      add_address_error_code(answer, {family, static_cast<std::uint16_t>(code), stun::reason_phrase(code)});
    }
  });
}

void answer_failure(Shard& shard, Allocation& allocation, const Now& now, Outbox& outbox) {
  const ErrorCode code = failure_of(allocation);
  const ReplyTo& to = allocation.pending->reply_to;
  outbox.push_back(SendToClient{to.client, shard.replies.error(to, code, {}, now.monotonic)});
  const bool no_capacity = code == ErrorCode::insufficient_capacity;
  shard.allocations.end(allocation, no_capacity ? std::optional(AuditEvent::capacity_refused) : std::nullopt,
                        outbox);
}

// Answers the Allocate request once no relay socket is being opened any more.
void answer_if_complete(Shard& shard, Allocation& allocation, const Now& now, Outbox& outbox) {
  if (allocation.any_relay_in(Relay::State::opening)) return;
  if (!allocation.any_relay_in(Relay::State::open)) return answer_failure(shard, allocation, now, outbox);
  allocation.answer = success_answer(shard, allocation);
  allocation.expires_at = now.monotonic + allocation.pending->lifetime;
  allocation.pending.reset();
  shard.allocations.schedule(allocation);
  outbox.push_back(SendToClient{allocation.client, allocation.answer});
  const Family first = allocation.relays_family(Family::ipv4) ? Family::ipv4 : Family::ipv6;
  outbox.push_back(Audit{AuditEvent::allocation_created, allocation.client, allocation.owner.username,
                         allocation.relay(first).address});
}

}  // namespace

void handle_relay_opened(Shard& shard, const RelayId& relay, const Address& relayed_address, const Now& now,
                         Outbox& outbox) {
  Allocation* allocation = shard.allocations.find(relay.allocation);
  if (allocation == nullptr) {
    outbox.push_back(CloseRelaySocket{relay});
    shard.allocations.reservation_orphaned(relay, outbox);
    return;
  }
  assert(allocation->relay(relay.family).state == Relay::State::opening);
  assert(relayed_address.family() == relay.family);
  allocation->relay(relay.family) = {Relay::State::open, relayed_address};
  shard.policy.learn_relay_ip(relayed_address.ip);
  shard.allocations.reservation_opened(relay, now.monotonic);
  answer_if_complete(shard, *allocation, now, outbox);
}

void handle_relay_failed(Shard& shard, const RelayId& relay, ErrorCode code, const Now& now, Outbox& outbox) {
  shard.allocations.reservation_failed(relay);
  Allocation* allocation = shard.allocations.find(relay.allocation);
  if (allocation == nullptr || allocation->relay(relay.family).state != Relay::State::opening) return;
  allocation->relay(relay.family).state = Relay::State::failed;
  allocation->pending->failures[relay.family == Family::ipv4 ? 0 : 1] = code;
  answer_if_complete(shard, *allocation, now, outbox);
}

}  // namespace offhook::turn
