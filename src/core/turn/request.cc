#include "core/turn/request.h"

#include <algorithm>
#include <vector>

#include "wire/stun/attr_xor_address.h"

namespace offhook::turn {
namespace {

using stun::ErrorCode;
using stun::Method;

bool is_unknown(const stun::Attribute& attribute) {
  return stun::comprehension_required(attribute.type) && !stun::known(attribute.type);
}

std::vector<std::uint16_t> unknown_attributes(const stun::Message& message) {
  std::vector<std::uint16_t> types;
  for (const stun::Attribute& attribute : message.attributes()) {
    if (is_unknown(attribute) && std::ranges::find(types, attribute.type) == types.end()) {
      types.push_back(attribute.type);
    }
  }
  return types;
}

void handle_binding(Request& request) {
  if (has_unknown_attributes(request.message)) {
    return request.refuse(ErrorCode::unknown_attribute, unknown_attributes(request.message));
  }
  request.succeed([&](stun::MessageBuilder& answer) {
    stun::add_xor_address(answer, stun::AttributeType::xor_mapped_address,
                          request.to.client.five_tuple.client_address);
  });
}

// The allocation of this five-tuple as of now, or null.
Allocation* current_allocation(Request& request) {
  const Client& client = request.to.client;
  Allocation* allocation = request.shard.allocations.find(client.five_tuple);
  if (allocation == nullptr) return nullptr;
  allocation = request.shard.allocations.settle(*allocation, request.now.monotonic, request.outbox);
  if (allocation == nullptr) return nullptr;
  // A second stream from the same address and port proves that the first one has closed, whichever of the two
  // the service noticed first.
  const bool reconnected =
      client.five_tuple.transport == Transport::tcp && allocation->client.handle != client.handle;
  if (!reconnected) return allocation;
  request.shard.allocations.end(*allocation, AuditEvent::allocation_deleted, request.outbox);
  return nullptr;
}

// Proves who asks, or answers 400, 401 or 438. On success answers are protected from here on.
bool pass_credentials(Request& request) {
  const Owner* owner = request.allocation == nullptr ? nullptr : &request.allocation->owner;
  auto from = request.shard.authentication.authenticate(
      request.message, request.to.client.five_tuple.client_address, owner, request.now);
  if (!from) {
    request.refuse(from.error().code);
    if (from.error().credentials_refused) request.audit(AuditEvent::credentials_refused, {});
    return false;
  }
  // Expiry ends the making of allocations, not the ones that exist.
  const bool makes_allocation = request.to.method == Method::allocate && request.allocation == nullptr;
  if (from->expired && makes_allocation) {
    request.refuse(ErrorCode::unauthenticated);
    request.audit(AuditEvent::credentials_refused, {});
    return false;
  }
  request.from = std::move(*from);
  request.to.integrity = request.from.answer_integrity;
  request.to.key = request.from.owner.key;
  return true;
}

// A Refresh request to delete whose answer was lost.
bool answer_repeated_deletion(Request& request) {
  if (request.to.method != Method::refresh) return false;
  const Deletion* deletion = request.shard.allocations.recent_deletion(request.to.client.five_tuple);
  if (deletion == nullptr || deletion->refresh_transaction_id != request.to.transaction_id) return false;
  request.outbox.push_back(SendToClient{request.to.client, deletion->answer});
  return true;
}

void handle_authenticated(Request& request) {
  request.allocation = current_allocation(request);
  if (!pass_credentials(request)) return;
  if (has_unknown_attributes(request.message)) {
    return request.refuse(ErrorCode::unknown_attribute, unknown_attributes(request.message));
  }
  if (request.to.method == Method::allocate) return handle_allocate(request);
  if (answer_repeated_deletion(request)) return;
  if (request.allocation == nullptr) return request.refuse(ErrorCode::allocation_mismatch);
  if (!request.from.is_owner) return request.refuse(ErrorCode::wrong_credentials);
  // A client that has no relayed address yet can only give up.
  if (!request.allocation->is_live() && request.to.method != Method::refresh) {
    return request.refuse(ErrorCode::allocation_mismatch);
  }
  if (request.to.method == Method::refresh) return handle_refresh(request);
  if (request.to.method == Method::create_permission) return handle_create_permission(request);
  handle_channel_bind(request);
}

}  // namespace

void handle_request(Shard& shard, const Client& client, const stun::Message& message, const Now& now,
                    Outbox& outbox) {
  const ReplyTo to{
      client, message.method(), message.transaction_id(), message.has_fingerprint(), Integrity::none, {}};
  Request request{shard, message, now, outbox, to, {}, nullptr};
  switch (message.method()) {
    case Method::binding:
      return handle_binding(request);
    case Method::allocate:
    case Method::refresh:
    case Method::create_permission:
    case Method::channel_bind:
      return handle_authenticated(request);
    case Method::send:
    case Method::data:
      return;  // indications only
  }
  // An unknown method: discarded in silence (RFC 8489 section 6.3).
}

bool has_unknown_attributes(const stun::Message& message) {
  return std::ranges::any_of(message.attributes(), is_unknown);
}

std::chrono::seconds granted_lifetime(const Settings& settings, std::optional<std::chrono::seconds> wanted) {
  const auto lowest = std::min(settings.lifetime_default, settings.lifetime_limit);
  return std::clamp(wanted.value_or(settings.lifetime_default), lowest, settings.lifetime_limit);
}

}  // namespace offhook::turn
