#pragma once
// Numbers of the registries, with the names of the RFCs.

#include <cstdint>
#include <string_view>

namespace offhook::stun {

enum class MessageClass : std::uint8_t {
  request = 0,
  indication = 1,
  success_response = 2,
  error_response = 3
};

enum class Method : std::uint16_t {
  binding = 0x001,   // RFC 8489
  allocate = 0x003,  // RFC 8656, from here on
  refresh = 0x004,
  send = 0x006,
  data = 0x007,
  create_permission = 0x008,
  channel_bind = 0x009,
};

enum class AttributeType : std::uint16_t {
  // RFC 8489, comprehension-required
  mapped_address = 0x0001,
  username = 0x0006,
  message_integrity = 0x0008,
  error_code = 0x0009,
  unknown_attributes = 0x000A,
  realm = 0x0014,
  nonce = 0x0015,
  message_integrity_sha256 = 0x001C,
  password_algorithm = 0x001D,
  userhash = 0x001E,
  xor_mapped_address = 0x0020,
  // RFC 8489, comprehension-optional
  password_algorithms = 0x8002,
  alternate_domain = 0x8003,
  software = 0x8022,
  alternate_server = 0x8023,
  fingerprint = 0x8028,
  // RFC 8656, comprehension-required
  channel_number = 0x000C,
  lifetime = 0x000D,
  xor_peer_address = 0x0012,
  data = 0x0013,
  xor_relayed_address = 0x0016,
  requested_address_family = 0x0017,
  even_port = 0x0018,
  requested_transport = 0x0019,
  dont_fragment = 0x001A,
  reservation_token = 0x0022,
  // RFC 8656, comprehension-optional
  additional_address_family = 0x8000,
  address_error_code = 0x8001,
  icmp = 0x8004,
};

// A receiver must refuse a request that holds an unknown one of these (RFC 8489 section 14).
constexpr bool comprehension_required(std::uint16_t type) { return type < 0x8000; }

enum class ErrorCode : std::uint16_t {
  try_alternate = 300,                   // RFC 8489
  bad_request = 400,                     // RFC 8489
  unauthenticated = 401,                 // RFC 8489
  forbidden = 403,                       // RFC 8656
  unknown_attribute = 420,               // RFC 8489
  allocation_mismatch = 437,             // RFC 8656
  stale_nonce = 438,                     // RFC 8489
  address_family_not_supported = 440,    // RFC 8656
  wrong_credentials = 441,               // RFC 8656
  unsupported_transport_protocol = 442,  // RFC 8656
  peer_address_family_mismatch = 443,    // RFC 8656
  allocation_quota_reached = 486,        // RFC 8656
  server_error = 500,                    // RFC 8489
  insufficient_capacity = 508,           // RFC 8656
};

// The names that the RFCs print: "Allocate", "XOR-MAPPED-ADDRESS", "Allocation Mismatch"; empty if not known.
std::string_view name(Method method);
std::string_view name(AttributeType type);
std::string_view reason_phrase(ErrorCode code);
// Is this attribute one that this server understands?
bool known(std::uint16_t attribute_type);

}  // namespace offhook::stun
