// Parses the input as a STUN message, reads every attribute with every parser, checks integrity, and builds a
// signed message of the same attributes, which must parse and verify.

#include <cstdlib>

#include "wire/stun/attr_error_code.h"
#include "wire/stun/attr_mapped_address.h"
#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_password_algorithms.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_software.h"
#include "wire/stun/attr_unknown_attributes.h"
#include "wire/stun/attr_userhash.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/stun/message.h"
#include "wire/stun/nonce_cookie.h"
#include "wire/turn/attr_additional_address_family.h"
#include "wire/turn/attr_address_error_code.h"
#include "wire/turn/attr_channel_number.h"
#include "wire/turn/attr_dont_fragment.h"
#include "wire/turn/attr_even_port.h"
#include "wire/turn/attr_icmp.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_requested_address_family.h"
#include "wire/turn/attr_requested_transport.h"
#include "wire/turn/attr_reservation_token.h"

namespace {

using namespace offhook;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_with_every_stun_parser(Bytes value, const stun::TransactionId& transaction_id) {
  if (const auto text = stun::parse_username(value)) require(text->size() <= stun::kUsernameBytesLimit);
  if (const auto text = stun::parse_realm(value)) require(text->size() <= stun::kTextReadBytesLimit);
  if (const auto text = stun::parse_software(value)) require(text->size() <= stun::kTextReadBytesLimit);
  if (const auto nonce = stun::parse_nonce(value)) {
    if (const auto features = stun::parse_nonce_cookie(*nonce)) {
      require(stun::parse_nonce_cookie(stun::make_nonce_cookie(*features)) == features);
    }
  }
  if (const auto error = stun::parse_error_code(value)) require(error->number >= 300 && error->number <= 699);
  if (const auto list = stun::parse_unknown_attributes(value)) require(list->size() * 2 == value.size());
  if (const auto list = stun::parse_password_algorithms(value)) {
    require(!list->empty() && list->size() <= stun::kPasswordAlgorithmsLimit);
  }
  if (const auto one = stun::parse_password_algorithm(value))
    require(one->parameters.size() + 4 <= value.size());
  require(stun::parse_userhash(value).has_value() == (value.size() == 32));
  require(stun::parse_mapped_address(value).has_value() ==
          stun::parse_xor_address(value, transaction_id).has_value());
}

void read_with_every_turn_parser(Bytes value) {
  const bool four = value.size() == 4;
  require(turn::parse_channel_number(value).has_value() == four);
  require(turn::parse_lifetime(value).has_value() == four);
  require(turn::parse_requested_transport(value).has_value() == four);
  require(turn::parse_requested_address_family(value).has_value() == four);
  require(turn::parse_additional_address_family(value).has_value() == four);
  require(turn::parse_even_port(value).has_value() == (value.size() == 1));
  require(turn::parse_reservation_token(value).has_value() == (value.size() == 8));
  require(turn::parse_dont_fragment(value).has_value() == value.empty());
  require(turn::parse_icmp(value).has_value() == (value.size() == 8));
  if (const auto error = turn::parse_address_error_code(value)) {
    require(error->number >= 300 && error->number <= 699);
  }
}

bool seals(std::uint16_t type) {
  const auto known = static_cast<stun::AttributeType>(type);
  return known == stun::AttributeType::message_integrity ||
         known == stun::AttributeType::message_integrity_sha256 || known == stun::AttributeType::fingerprint;
}

void build_again(const stun::Message& message) {
  const Bytes key = as_bytes("a key");
  Buffer buffer(70000);
  stun::MessageBuilder builder(buffer, message.message_class(), message.method(), message.transaction_id());
  std::size_t added = 0;
  for (const stun::Attribute& attribute : message.attributes()) {
    if (seals(attribute.type) || added + 3 == stun::kAttributesLimit) continue;
    builder.add(static_cast<stun::AttributeType>(attribute.type), attribute.value);
    added += 1;
  }
  const Bytes built =
      builder.add_message_integrity(key).add_message_integrity_sha256(key).add_fingerprint().finish();
  if (built.empty()) return;  // the seals did not fit any more
  const auto again = stun::Message::parse(built);
  require(again.has_value());
  require(again->attributes().size() == added + 3);
  require(again->has_fingerprint());
  require(again->message_class() == message.message_class() && again->method() == message.method());
  require(again->transaction_id() == message.transaction_id());
  require(again->verify_integrity(key) && again->verify_integrity_sha256(key));
  require(!again->verify_integrity(as_bytes("another")) &&
          !again->verify_integrity_sha256(as_bytes("another")));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const Bytes datagram(bytes, size);
  const auto message = stun::Message::parse(datagram);
  if (!message) return 0;
  require(stun::looks_like_stun(datagram));
  for (const stun::Attribute& attribute : message->attributes()) {
    require(attribute.value.data() >= bytes &&
            attribute.value.data() + attribute.value.size() <= bytes + size);
    require(message->has(static_cast<stun::AttributeType>(attribute.type)));
    read_with_every_stun_parser(attribute.value, message->transaction_id());
    read_with_every_turn_parser(attribute.value);
  }
  if (message->verify_integrity(as_bytes("VOkJxbRl1RmTxUk/WvJxBt"))) {
    require(message->has(stun::AttributeType::message_integrity));
  }
  if (message->verify_integrity_sha256(as_bytes("VOkJxbRl1RmTxUk/WvJxBt"))) {
    require(message->has(stun::AttributeType::message_integrity_sha256));
  }
  build_again(*message);
  return 0;
}
