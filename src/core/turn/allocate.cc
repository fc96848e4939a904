// Allocate (RFC 8656 section 7.2): parsed, judged, and answered once every relay socket is open or has
// failed.

#include <algorithm>

#include "core/turn/request.h"
#include "wire/turn/attr_additional_address_family.h"
#include "wire/turn/attr_dont_fragment.h"
#include "wire/turn/attr_even_port.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_requested_address_family.h"
#include "wire/turn/attr_requested_transport.h"
#include "wire/turn/attr_reservation_token.h"

namespace offhook::turn {
namespace {

using stun::AttributeType;
using stun::ErrorCode;

constexpr std::uint8_t kFamilyIpv4 = static_cast<std::uint8_t>(Family::ipv4);
constexpr std::uint8_t kFamilyIpv6 = static_cast<std::uint8_t>(Family::ipv6);

struct Wanted {
  Family family = Family::ipv4;
  bool additional_ipv6 = false;
  bool even_port = false;
  bool reserve_next = false;
  std::optional<ReservationToken> claims;
  std::optional<std::chrono::seconds> lifetime;
};

// The value of an optional attribute that parses: nullopt inside if absent, error 400 if malformed.
template <typename Parse>
auto optional_value(const stun::Message& message, AttributeType type, Parse parse)
    -> Result<decltype(parse(Bytes{})), ErrorCode> {
  const stun::Attribute* attribute = message.find(type);
  if (attribute == nullptr) return decltype(parse(Bytes{})){};
  auto value = parse(attribute->value);
  if (!value) return fail(ErrorCode::bad_request);
  return value;
}

// 400 or 442, or nothing wrong.
std::optional<ErrorCode> judge_transport(const stun::Message& message) {
  const stun::Attribute* attribute = message.find(AttributeType::requested_transport);
  if (attribute == nullptr) return ErrorCode::bad_request;
  const auto protocol = parse_requested_transport(attribute->value);
  if (!protocol) return ErrorCode::bad_request;
  if (*protocol != kRequestedTransportUdp) return ErrorCode::unsupported_transport_protocol;
  const stun::Attribute* dont_fragment = message.find(AttributeType::dont_fragment);
  if (dont_fragment != nullptr && !parse_dont_fragment(dont_fragment->value)) return ErrorCode::bad_request;
  return std::nullopt;
}

Result<Wanted, ErrorCode> parse_wanted(const stun::Message& message) {
  if (const auto wrong = judge_transport(message)) return fail(*wrong);
  const auto lifetime = optional_value(message, AttributeType::lifetime, parse_lifetime);
  const auto token = optional_value(message, AttributeType::reservation_token, parse_reservation_token);
  const auto even_port = optional_value(message, AttributeType::even_port, parse_even_port);
  const auto family =
      optional_value(message, AttributeType::requested_address_family, parse_requested_address_family);
  const auto additional =
      optional_value(message, AttributeType::additional_address_family, parse_additional_address_family);
  if (!lifetime || !token || !even_port || !family || !additional) return fail(ErrorCode::bad_request);

  // A reservation says port and family already.
  const bool with_token = token->has_value();
  if (with_token && (*even_port || *family || *additional)) return fail(ErrorCode::bad_request);
  if (*additional && (*family || **additional != kFamilyIpv6)) return fail(ErrorCode::bad_request);
  const bool reserve_next = *even_port && (*even_port)->reserve_next;
  if (*additional && reserve_next) return fail(ErrorCode::bad_request);
  if (*family && **family != kFamilyIpv4 && **family != kFamilyIpv6) {
    return fail(ErrorCode::address_family_not_supported);
  }

  Wanted wanted;
  wanted.lifetime = *lifetime;
  wanted.claims = *token;
  wanted.even_port = even_port->has_value();
  wanted.reserve_next = reserve_next;
  wanted.additional_ipv6 = additional->has_value();
  if (with_token) wanted.family = family_of(**token);
  if (*family) wanted.family = static_cast<Family>(**family);
  return wanted;
}

// The five-tuple has an allocation already.
void answer_existing(const Request& request) {
  const Allocation& allocation = *request.allocation;
  const bool repeated = request.from.is_owner && allocation.transaction_id == request.to.transaction_id;
  if (!repeated) return request.refuse(ErrorCode::allocation_mismatch);
  if (!allocation.is_live()) return;  // the first copy is answered soon
  request.outbox.push_back(SendToClient{request.to.client, allocation.answer});
}

void open_relays(Request& request, const Wanted& wanted, Allocation& allocation) {
  allocation.relay(wanted.family).state = Relay::State::opening;
  if (wanted.additional_ipv6) allocation.relay(Family::ipv6).state = Relay::State::opening;
  const RelayId first{allocation.id, wanted.family};
  if (wanted.claims) {
    request.outbox.push_back(ClaimReservation{first, *wanted.claims});
    return;
  }
  OpenRelaySocket open{
      first, request.to.client.five_tuple.listen_address, wanted.even_port, wanted.reserve_next, {}};
  if (allocation.pending->reserves) open.token = *allocation.pending->reserves;
  request.outbox.push_back(open);
  if (!wanted.additional_ipv6) return;
  open.relay.family = Family::ipv6;
  request.outbox.push_back(open);
}

// Where a new allocation of this client is to be made instead.
std::optional<Address> alternate_for(const Settings& settings, const Address& client_address) {
  const auto& own = settings.own_addresses;
  if (std::find(own.begin(), own.end(), client_address.ip) != own.end()) return std::nullopt;
  for (const Address& alternate : settings.alternate_servers) {
    if (alternate.family() == client_address.family()) return alternate;
  }
  return std::nullopt;
}

// A late copy of the Allocate request of an allocation that was deleted since.
bool is_left_over(const Request& request) {
  const Deletion* deletion = request.shard.allocations.recent_deletion(request.to.client.five_tuple);
  return deletion != nullptr && deletion->allocate_transaction_id == request.to.transaction_id;
}

}  // namespace

void handle_allocate(Request& request) {
  if (request.allocation != nullptr) return answer_existing(request);
  if (is_left_over(request)) return;
  const auto wanted = parse_wanted(request.message);
  if (!wanted) return request.refuse(wanted.error());
  if (const auto alternate =
          alternate_for(request.shard.settings, request.to.client.five_tuple.client_address)) {
    request.outbox.push_back(
        SendToClient{request.to.client, request.shard.replies.try_alternate(request.to, *alternate)});
    return;
  }

  auto lease = QuotaLease::take(request.shard.dependencies.quota, request.from.user);
  if (!lease && lease.error() == Quota::Taking::user_limit) {
    request.refuse(ErrorCode::allocation_quota_reached);
    return request.audit(AuditEvent::quota_refused, {});
  }
  const bool may_reserve = !wanted->reserve_next || request.shard.allocations.may_reserve(request.from.user);
  if (!lease || !may_reserve) {
    request.refuse(ErrorCode::insufficient_capacity);
    return request.audit(AuditEvent::capacity_refused, {});
  }
  Allocation& allocation = request.shard.allocations.create(request.to.client, request.to.transaction_id,
                                                            std::move(request.from.owner), std::move(*lease));
  allocation.pending = std::make_unique<PendingAllocate>();
  allocation.pending->reply_to = request.to;
  allocation.pending->claims = wanted->claims;
  allocation.pending->lifetime = granted_lifetime(request.shard.settings, wanted->lifetime);
  if (wanted->reserve_next) {
    ReservationToken token{};
    request.shard.dependencies.random.fill(token);
    allocation.pending->reserves = token_for(wanted->family, token);
    request.shard.allocations.reserve(request.from.user, *allocation.pending->reserves,
                                      {allocation.id, wanted->family});
  }
  open_relays(request, *wanted, allocation);
  allocation.expire_at(request.now.monotonic + allocation.pending->lifetime);
  request.shard.allocations.schedule(allocation);
}

}  // namespace offhook::turn
