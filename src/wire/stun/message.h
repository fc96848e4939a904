#pragma once
// STUN messages (RFC 8489 section 5 and 14): a view that parses without copying, and a builder.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |0 0|     STUN Message Type     |         Message Length        |
//   |                         Magic Cookie 0x2112A442               |
//   |                     Transaction ID (96 bits)                  |

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/stun/types.h"

namespace offhook::stun {

inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::uint32_t kMagicCookie = 0x2112A442;
// CreatePermission may name every candidate of a peer, 100 of them; any other request has fewer than twenty
// attributes. The limit keeps the view a fixed size.
inline constexpr std::size_t kAttributesLimit = 128;
// A STUN answer never comes near the least IPv6 MTU; one buffer size serves them all.
inline constexpr std::size_t kMessageBytesLimit = 1500;

using TransactionId = std::array<std::uint8_t, 12>;

enum class ParseError {
  too_short,            // fewer bytes than the header, or than the header says
  not_stun,             // the first two bits are not zero
  bad_cookie,           // no magic cookie: RFC 3489 or not STUN at all
  bad_length,           // the length is not a multiple of four, or bytes follow the message
  attribute_overrun,    // an attribute reaches past the end of the message
  too_many_attributes,  // more than kAttributesLimit
  bad_fingerprint,      // FINGERPRINT present and wrong, or not last (section 14.7)
};

struct Attribute {
  std::uint16_t type = 0;
  Bytes value;  // without padding; borrows from the datagram
};

// True where the first byte can only be STUN (0b00......): ChannelData starts with 0b01.
inline bool looks_like_stun(Bytes datagram) { return !datagram.empty() && (datagram[0] & 0xC0U) == 0; }

// A well-formed message. Borrows the datagram that it was parsed from.
class Message {
 public:
  // Holds nothing until parse_into() succeeds. Leaves its room for attributes as it is: three kilobytes, of
  // which a Send indication uses 48 bytes.
  Message() {}  // NOLINT(modernize-use-equals-default): `= default` would be deleted

  static Result<Message, ParseError> parse(Bytes datagram);
  // The same without a copy, for the path of every packet. After an error nothing may be read from `message`.
  static Result<void, ParseError> parse_into(Message& message, Bytes datagram);

  MessageClass message_class() const { return class_; }
  // The method's number; those of RFC 8489 and 8656 are named in types.h.
  Method method() const { return method_; }
  const TransactionId& transaction_id() const { return transaction_id_; }
  bool has_fingerprint() const { return has_fingerprint_; }

  // The attributes that count: first to MESSAGE-INTEGRITY / MESSAGE-INTEGRITY-SHA256 inclusive; later ones
  // but MESSAGE-INTEGRITY-SHA256 after MESSAGE-INTEGRITY and FINGERPRINT are ignored (RFC 8489
  // section 14.5, 14.6).
  std::span<const Attribute> attributes() const { return std::span(attributes_).first(attribute_count_); }
  // The first attribute of this type among attributes(); duplicates are ignored (section 14).
  const Attribute* find(AttributeType type) const;
  bool has(AttributeType type) const { return find(type) != nullptr; }

  // Does the integrity attribute of that kind exist and match `key`? Constant-time comparison.
  bool verify_integrity(Bytes key) const;  // MESSAGE-INTEGRITY, HMAC-SHA1
  bool verify_integrity_sha256(
      Bytes key) const;  // MESSAGE-INTEGRITY-SHA256, truncation to 16..32 bytes in steps of 4

 private:
  Bytes datagram_;
  MessageClass class_ = MessageClass::request;
  Method method_{};
  TransactionId transaction_id_{};
  // In a union so that no constructor touches it; the first attribute_count_ of them live.
  union {
    std::array<Attribute, kAttributesLimit> attributes_;
  };
  std::size_t attribute_count_ = 0;
  bool has_fingerprint_ = false;
};

// Builds one message into a buffer that the caller owns. Overflow is sticky (see Writer): finish() then
// returns an empty span. Padding is zeros.
class MessageBuilder {
 public:
  MessageBuilder(MutableBytes buffer, MessageClass message_class, Method method,
                 const TransactionId& transaction_id);

  const TransactionId& transaction_id() const { return transaction_id_; }
  MessageBuilder& add(AttributeType type, Bytes value);
  MessageBuilder& add_message_integrity(Bytes key);
  MessageBuilder& add_message_integrity_sha256(Bytes key);  // full 32 bytes
  MessageBuilder& add_fingerprint();
  Bytes finish();

 private:
  void set_length(std::size_t bytes_to_come);

  Writer writer_;
  TransactionId transaction_id_;
};

}  // namespace offhook::stun
