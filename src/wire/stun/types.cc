#include "wire/stun/types.h"

namespace offhook::stun {

std::string_view name(Method method) {
  switch (method) {
    case Method::binding:
      return "Binding";
    case Method::allocate:
      return "Allocate";
    case Method::refresh:
      return "Refresh";
    case Method::send:
      return "Send";
    case Method::data:
      return "Data";
    case Method::create_permission:
      return "CreatePermission";
    case Method::channel_bind:
      return "ChannelBind";
  }
  return {};
}

std::string_view name(AttributeType type) {
  switch (type) {
    case AttributeType::mapped_address:
      return "MAPPED-ADDRESS";
    case AttributeType::username:
      return "USERNAME";
    case AttributeType::message_integrity:
      return "MESSAGE-INTEGRITY";
    case AttributeType::error_code:
      return "ERROR-CODE";
    case AttributeType::unknown_attributes:
      return "UNKNOWN-ATTRIBUTES";
    case AttributeType::realm:
      return "REALM";
    case AttributeType::nonce:
      return "NONCE";
    case AttributeType::message_integrity_sha256:
      return "MESSAGE-INTEGRITY-SHA256";
    case AttributeType::password_algorithm:
      return "PASSWORD-ALGORITHM";
    case AttributeType::userhash:
      return "USERHASH";
    case AttributeType::xor_mapped_address:
      return "XOR-MAPPED-ADDRESS";
    case AttributeType::password_algorithms:
      return "PASSWORD-ALGORITHMS";
    case AttributeType::alternate_domain:
      return "ALTERNATE-DOMAIN";
    case AttributeType::software:
      return "SOFTWARE";
    case AttributeType::alternate_server:
      return "ALTERNATE-SERVER";
    case AttributeType::fingerprint:
      return "FINGERPRINT";
    case AttributeType::channel_number:
      return "CHANNEL-NUMBER";
    case AttributeType::lifetime:
      return "LIFETIME";
    case AttributeType::xor_peer_address:
      return "XOR-PEER-ADDRESS";
    case AttributeType::data:
      return "DATA";
    case AttributeType::xor_relayed_address:
      return "XOR-RELAYED-ADDRESS";
    case AttributeType::requested_address_family:
      return "REQUESTED-ADDRESS-FAMILY";
    case AttributeType::even_port:
      return "EVEN-PORT";
    case AttributeType::requested_transport:
      return "REQUESTED-TRANSPORT";
    case AttributeType::dont_fragment:
      return "DONT-FRAGMENT";
    case AttributeType::reservation_token:
      return "RESERVATION-TOKEN";
    case AttributeType::additional_address_family:
      return "ADDITIONAL-ADDRESS-FAMILY";
    case AttributeType::address_error_code:
      return "ADDRESS-ERROR-CODE";
    case AttributeType::icmp:
      return "ICMP";
  }
  return {};
}

std::string_view reason_phrase(ErrorCode code) {
  switch (code) {
    case ErrorCode::try_alternate:
      return "Try Alternate";
    case ErrorCode::bad_request:
      return "Bad Request";
    case ErrorCode::unauthenticated:
      return "Unauthenticated";
    case ErrorCode::forbidden:
      return "Forbidden";
    case ErrorCode::unknown_attribute:
      return "Unknown Attribute";
    case ErrorCode::allocation_mismatch:
      return "Allocation Mismatch";
    case ErrorCode::stale_nonce:
      return "Stale Nonce";
    case ErrorCode::address_family_not_supported:
      return "Address Family not Supported";
    case ErrorCode::wrong_credentials:
      return "Wrong Credentials";
    case ErrorCode::unsupported_transport_protocol:
      return "Unsupported Transport Protocol";
    case ErrorCode::peer_address_family_mismatch:
      return "Peer Address Family Mismatch";
    case ErrorCode::allocation_quota_reached:
      return "Allocation Quota Reached";
    case ErrorCode::server_error:
      return "Server Error";
    case ErrorCode::insufficient_capacity:
      return "Insufficient Capacity";
  }
  return {};
}

bool known(std::uint16_t attribute_type) { return !name(static_cast<AttributeType>(attribute_type)).empty(); }

}  // namespace offhook::stun
