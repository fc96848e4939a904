// The second half of Allocate: what happens when relay sockets open, or do not.

#include <algorithm>
#include <array>
#include <cassert>

#include "core/turn/introduce.h"
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

// With both families refused the answer is 508, whatever each of them failed for (RFC 8656 section 7.2).
ErrorCode failure_of(const Allocation& allocation) {
  const bool both = std::ranges::all_of(
      allocation.relays, [](const Relay& relay) { return relay.state == Relay::State::failed; });
  if (both) return ErrorCode::insufficient_capacity;
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
  allocation.expire_at(now.monotonic + allocation.pending->lifetime);
  allocation.pending.reset();
  permit_introduced(shard, allocation);
  shard.allocations.schedule(allocation);
  outbox.push_back(SendToClient{allocation.client, allocation.answer});
  const Family first = allocation.relays_family(Family::ipv4) ? Family::ipv4 : Family::ipv6;
  outbox.push_back(Audit{AuditEvent::allocation_created, allocation.client, allocation.owner.username,
                         allocation.relay(first).address});
}

// The allocation that waits for this relay; null if it ended, was revoked, or expired meanwhile.
Allocation* waiting_for(Shard& shard, const RelayId& relay, const Now& now, Outbox& outbox) {
  Allocation* allocation = shard.allocations.find(relay.allocation);
  if (allocation == nullptr) return nullptr;
  return shard.allocations.settle(*allocation, now.monotonic, outbox);
}

void fail_relay(Shard& shard, Allocation& allocation, Family family, ErrorCode code, const Now& now,
                Outbox& outbox) {
  allocation.relay(family).state = Relay::State::failed;
  allocation.pending->failures[family == Family::ipv4 ? 0 : 1] = code;
  answer_if_complete(shard, allocation, now, outbox);
}

// The service opened something else than it was asked for: an address that the client could make no use of.
void refuse_wrong_family(Shard& shard, const RelayId& relay, Allocation& allocation, const Now& now,
                         Outbox& outbox) {
  outbox.push_back(CloseRelaySocket{relay});
  shard.allocations.reservation_orphaned(relay, outbox);
  const Family other = relay.family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
  // ADDRESS-ERROR-CODE knows 440 and 508 alone (RFC 8656 section 18.13).
  const bool is_dual = allocation.relay(other).state != Relay::State::absent;
  const ErrorCode code = is_dual ? ErrorCode::insufficient_capacity : ErrorCode::server_error;
  fail_relay(shard, allocation, relay.family, code, now, outbox);
}

}  // namespace

void handle_relay_opened(Shard& shard, const RelayId& relay, const Address& relayed_address, const Now& now,
                         Outbox& outbox) {
  Allocation* allocation = waiting_for(shard, relay, now, outbox);
  if (allocation == nullptr) {
    outbox.push_back(CloseRelaySocket{relay});
    shard.allocations.reservation_orphaned(relay, outbox);
    return;
  }
  assert(allocation->relay(relay.family).state == Relay::State::opening);
  if (relayed_address.family() != relay.family) {
    return refuse_wrong_family(shard, relay, *allocation, now, outbox);
  }
  if (allocation->pending->claims) shard.allocations.reservation_claimed(*allocation->pending->claims);
  Relay& opened = allocation->relay(relay.family);
  opened.state = Relay::State::open;
  opened.address = relayed_address;
  opened.incarnation = shard.dependencies.live_relays.incarnation(relayed_address);
  shard.allocations.reservation_opened(relay, now.monotonic);
  answer_if_complete(shard, *allocation, now, outbox);
}

void handle_relay_failed(Shard& shard, const RelayId& relay, ErrorCode code, const Now& now, Outbox& outbox) {
  shard.allocations.reservation_failed(relay);
  Allocation* allocation = waiting_for(shard, relay, now, outbox);
  if (allocation == nullptr || allocation->relay(relay.family).state != Relay::State::opening) return;
  fail_relay(shard, *allocation, relay.family, code, now, outbox);
}

}  // namespace offhook::turn
