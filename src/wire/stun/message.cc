#include "wire/stun/message.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <memory>

#include "crypto/digest.h"

namespace offhook::stun {
namespace {

constexpr std::size_t kAttributeHeaderBytes = 4;
constexpr std::uint32_t kFingerprintMask = 0x5354554E;  // "STUN" (section 14.7)
// What the header's length field can say. A builder that stays below it can neither wrap that field nor an
// attribute's.
constexpr std::size_t kLargestMessageBytes = kHeaderBytes + 65532;
constexpr std::size_t kFingerprintBytes = kAttributeHeaderBytes + 4;

constexpr auto kMessageIntegrity = static_cast<std::uint16_t>(AttributeType::message_integrity);
constexpr auto kMessageIntegritySha256 = static_cast<std::uint16_t>(AttributeType::message_integrity_sha256);
constexpr auto kFingerprint = static_cast<std::uint16_t>(AttributeType::fingerprint);

std::size_t padding_after(std::size_t bytes) { return (4 - bytes % 4) % 4; }

// The type's fourteen bits are M11..M7 C1 M6..M4 C0 M3..M0 (section 5).
MessageClass class_of(std::uint16_t type) {
  return static_cast<MessageClass>(((type >> 7U) & 2U) | ((type >> 4U) & 1U));
}
Method method_of(std::uint16_t type) {
  return static_cast<Method>(((type >> 2U) & 0xF80U) | ((type >> 1U) & 0x070U) | (type & 0x00FU));
}
std::uint16_t message_type(MessageClass message_class, Method method) {
  const unsigned c = static_cast<unsigned>(message_class);
  const unsigned m = static_cast<unsigned>(method);
  assert(m <= 0xFFF);
  return static_cast<std::uint16_t>(((m & 0xF80U) << 2U) | ((m & 0x070U) << 1U) | (m & 0x00FU) |
                                    ((c & 2U) << 7U) | ((c & 1U) << 4U));
}

// Which attributes still count at this point of the message (sections 14.5, 14.6).
struct Gate {
  bool after_integrity = false;
  bool after_integrity_sha256 = false;

  bool admits(std::uint16_t type) const {
    if (type == kFingerprint) return true;
    if (after_integrity_sha256) return false;
    return !after_integrity || type == kMessageIntegritySha256;
  }
  void passed(std::uint16_t type) {
    after_integrity = after_integrity || type == kMessageIntegrity;
    after_integrity_sha256 = after_integrity_sha256 || type == kMessageIntegritySha256;
  }
};

bool fingerprint_is_right(Bytes before, Bytes value) {
  return value.size() == 4 && Reader(value).u32() == (crypto::crc32(before) ^ kFingerprintMask);
}

// The bytes that an integrity attribute covers: all before it, the header's length patched so that the
// message ends with this attribute.
template <typename Compute>
auto integrity(Bytes before, std::size_t attribute_bytes, Compute compute) {
  const auto length = static_cast<std::uint16_t>(before.size() - kHeaderBytes + attribute_bytes);
  const auto patched = [&](MutableBytes copy) {
    Writer writer(copy);
    writer.bytes(before);
    writer.patch_u16(2, length);
    return compute(writer.written());
  };
  if (before.size() <= kMessageBytesLimit) {
    std::array<std::uint8_t, kMessageBytesLimit> copy;
    return patched(copy);
  }
  Buffer copy(before.size());  // a long message of a stream
  return patched(copy);
}

}  // namespace

Result<Message, ParseError> Message::parse(Bytes datagram) {
  Result<Message, ParseError> message;
  const auto parsed = parse_into(*message, datagram);
  if (!parsed) return fail(parsed.error());
  return message;
}

Result<void, ParseError> Message::parse_into(Message& message, Bytes datagram) {
  message.attribute_count_ = 0;
  message.has_fingerprint_ = false;
  if (datagram.size() < kHeaderBytes) return fail(ParseError::too_short);
  if (!looks_like_stun(datagram)) return fail(ParseError::not_stun);
  Reader reader(datagram);
  const std::uint16_t type = reader.u16();
  const std::size_t length = reader.u16();
  if (reader.u32() != kMagicCookie) return fail(ParseError::bad_cookie);
  if (length % 4 != 0 || length < datagram.size() - kHeaderBytes) return fail(ParseError::bad_length);
  if (length > datagram.size() - kHeaderBytes) return fail(ParseError::too_short);

  message.datagram_ = datagram;
  message.class_ = class_of(type);
  message.method_ = method_of(type);
  const Bytes transaction_id = reader.take(message.transaction_id_.size());
  std::memcpy(message.transaction_id_.data(), transaction_id.data(), transaction_id.size());

  Gate gate;
  while (!reader.at_end()) {
    const Bytes before = datagram.first(datagram.size() - reader.remaining());
    const std::uint16_t attribute_type = reader.u16();
    const std::size_t value_bytes = reader.u16();
    const Bytes value = reader.take(value_bytes);
    reader.skip(padding_after(value_bytes));
    if (!reader.ok()) return fail(ParseError::attribute_overrun);
    if (attribute_type == kFingerprint) {
      if (!reader.at_end() || !fingerprint_is_right(before, value)) return fail(ParseError::bad_fingerprint);
      message.has_fingerprint_ = true;
    }
    if (!gate.admits(attribute_type)) continue;
    gate.passed(attribute_type);
    if (message.attribute_count_ == kAttributesLimit) return fail(ParseError::too_many_attributes);
    std::construct_at(message.attributes_.data() + message.attribute_count_,
                      Attribute{attribute_type, value});
    message.attribute_count_ += 1;
  }
  return {};
}

const Attribute* Message::find(AttributeType type) const {
  for (const Attribute& attribute : attributes()) {
    if (attribute.type == static_cast<std::uint16_t>(type)) return &attribute;
  }
  return nullptr;
}

bool Message::verify_integrity(Bytes key) const {
  const Attribute* attribute = find(AttributeType::message_integrity);
  if (attribute == nullptr || attribute->value.size() != crypto::Sha1Digest{}.size()) return false;
  const auto value_at = static_cast<std::size_t>(attribute->value.data() - datagram_.data());
  const auto expected = integrity(datagram_.first(value_at - kAttributeHeaderBytes),
                                  kAttributeHeaderBytes + attribute->value.size(),
                                  [&](Bytes covered) { return crypto::hmac_sha1(key, covered); });
  return crypto::constant_time_equal(expected, attribute->value);
}

bool Message::verify_integrity_sha256(Bytes key) const {
  const Attribute* attribute = find(AttributeType::message_integrity_sha256);
  if (attribute == nullptr) return false;
  const std::size_t size = attribute->value.size();
  if (size < 16 || size > crypto::Sha256Digest{}.size() || size % 4 != 0) return false;
  const auto value_at = static_cast<std::size_t>(attribute->value.data() - datagram_.data());
  const auto expected =
      integrity(datagram_.first(value_at - kAttributeHeaderBytes), kAttributeHeaderBytes + size,
                [&](Bytes covered) { return crypto::hmac_sha256(key, covered); });
  return crypto::constant_time_equal(Bytes(expected).first(size), attribute->value);
}

MessageBuilder::MessageBuilder(MutableBytes buffer, MessageClass message_class, Method method,
                               const TransactionId& transaction_id)
    : writer_(buffer.first(std::min(buffer.size(), kLargestMessageBytes))), transaction_id_(transaction_id) {
  writer_.u16(message_type(message_class, method));
  writer_.u16(0);
  writer_.u32(kMagicCookie);
  writer_.bytes(transaction_id);
}

MessageBuilder& MessageBuilder::add(AttributeType type, Bytes value) {
  writer_.u16(static_cast<std::uint16_t>(type));
  writer_.u16(static_cast<std::uint16_t>(value.size()));
  writer_.bytes(value);
  writer_.zeros(padding_after(value.size()));
  set_length(0);
  return *this;
}

MessageBuilder& MessageBuilder::add_message_integrity(Bytes key) {
  set_length(kAttributeHeaderBytes + crypto::Sha1Digest{}.size());
  return add(AttributeType::message_integrity, crypto::hmac_sha1(key, writer_.written()));
}

MessageBuilder& MessageBuilder::add_message_integrity_sha256(Bytes key) {
  set_length(kAttributeHeaderBytes + crypto::Sha256Digest{}.size());
  return add(AttributeType::message_integrity_sha256, crypto::hmac_sha256(key, writer_.written()));
}

MessageBuilder& MessageBuilder::add_fingerprint() {
  set_length(kFingerprintBytes);
  std::array<std::uint8_t, 4> value{};
  Writer(value).u32(crypto::crc32(writer_.written()) ^ kFingerprintMask);
  return add(AttributeType::fingerprint, value);
}

Bytes MessageBuilder::finish() { return writer_.ok() ? writer_.written() : Bytes{}; }

void MessageBuilder::set_length(std::size_t bytes_to_come) {
  if (!writer_.ok()) return;
  writer_.patch_u16(2, static_cast<std::uint16_t>(writer_.size() - kHeaderBytes + bytes_to_come));
}

}  // namespace offhook::stun
