// Refresh (RFC 8656 section 8.2).

#include "core/turn/request.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_requested_address_family.h"

namespace offhook::turn {
namespace {

using stun::AttributeType;
using stun::ErrorCode;

constexpr std::chrono::seconds kDeleted{0};

Buffer answer_with(const Request& request, std::chrono::seconds lifetime) {
  return request.shard.replies.success(request.to,
                                       [&](stun::MessageBuilder& answer) { add_lifetime(answer, lifetime); });
}

void delete_allocation(Request& request) {
  Allocation& allocation = *request.allocation;
  Deletion deletion;
  deletion.five_tuple = allocation.client.five_tuple;
  deletion.allocate_transaction_id = allocation.transaction_id;
  deletion.refresh_transaction_id = request.to.transaction_id;
  deletion.answer = answer_with(request, kDeleted);
  request.outbox.push_back(SendToClient{request.to.client, deletion.answer});
  request.shard.allocations.remember_deletion(std::move(deletion), request.now.monotonic);
  request.shard.allocations.end(allocation, AuditEvent::allocation_deleted, request.outbox);
}

// One of two relayed addresses goes and the other stays.
void delete_family(Request& request, Family family) {
  request.outbox.push_back(SendToClient{request.to.client, answer_with(request, kDeleted)});
  if (!request.allocation->relays_family(family)) return;  // a late copy
  request.allocation->close_relay(family, request.outbox);
  request.shard.allocations.schedule(*request.allocation);
}

// Each relayed address has its own time-to-expiry: `family` extends the one, 0 extends what there is.
void extend(Request& request, std::uint8_t family, std::chrono::seconds lifetime) {
  Allocation& allocation = *request.allocation;
  const Instant expires_at = request.now.monotonic + lifetime;
  if (family == 0) {
    allocation.expire_at(expires_at);
  } else {
    allocation.expire_at(static_cast<Family>(family), expires_at);
  }
  request.outbox.push_back(SendToClient{request.to.client, answer_with(request, lifetime)});
  allocation.update_routes(std::nullopt, request.outbox);
  request.shard.allocations.schedule(allocation);
  request.audit(AuditEvent::allocation_refreshed, {});
}

// The family that the request names, 0 if none. 400 or 443. Whoever deletes may name a family that is gone:
// its answer was lost. Nobody can extend one.
Result<std::uint8_t, ErrorCode> named_family(const Request& request, bool deletes) {
  const stun::Attribute* attribute = request.message.find(AttributeType::requested_address_family);
  if (attribute == nullptr) return std::uint8_t{0};
  const auto value = parse_requested_address_family(attribute->value);
  if (!value) return fail(ErrorCode::bad_request);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const Relay::State state = request.allocation->relay(family).state;
    const bool has = state == Relay::State::open || (deletes && state == Relay::State::closed);
    if (has && *value == static_cast<std::uint8_t>(family)) return *value;
  }
  return fail(ErrorCode::peer_address_family_mismatch);
}

}  // namespace

void handle_refresh(Request& request) {
  std::optional<std::chrono::seconds> wanted;
  if (const stun::Attribute* attribute = request.message.find(AttributeType::lifetime)) {
    wanted = parse_lifetime(attribute->value);
    if (!wanted) return request.refuse(ErrorCode::bad_request);
  }
  const Allocation& allocation = *request.allocation;
  if (!allocation.is_live()) {
    // The client gives up before it knows its relayed address.
    if (wanted != kDeleted) return request.refuse(ErrorCode::allocation_mismatch);
    return delete_allocation(request);
  }
  const auto named = named_family(request, wanted == kDeleted);
  if (!named) return request.refuse(named.error());
  if (wanted != kDeleted) return extend(request, *named, granted_lifetime(request.shard.settings, wanted));
  if (*named == 0) return delete_allocation(request);

  const Family family = static_cast<Family>(*named);
  const Family other = family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
  const bool is_last = allocation.relays_family(family) && !allocation.relays_family(other);
  if (is_last) return delete_allocation(request);
  delete_family(request, family);
}

}  // namespace offhook::turn
