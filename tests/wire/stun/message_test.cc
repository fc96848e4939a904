#include "wire/stun/message.h"

#include <gtest/gtest.h>

#include <random>

#include "crypto/digest.h"
#include "wire/stun/rfc_vectors.h"

namespace offhook::stun {
namespace {

constexpr TransactionId kTransactionId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

Buffer copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

ParseError error_of(Bytes datagram) {
  const auto message = Message::parse(datagram);
  EXPECT_FALSE(message.has_value());
  return message.has_value() ? ParseError{} : message.error();
}

constexpr std::array<std::uint8_t, kHeaderBytes> kRawHeader = {
    0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

// A message of attributes that no builder would put in this order.
struct RawMessage {
  Buffer bytes{kRawHeader.begin(), kRawHeader.end()};

  RawMessage& add(std::uint16_t type, Bytes value, std::uint8_t padding = 0) {
    const std::uint8_t header[4] = {
        static_cast<std::uint8_t>(type >> 8U), static_cast<std::uint8_t>(type & 0xFFU),
        static_cast<std::uint8_t>(value.size() >> 8U), static_cast<std::uint8_t>(value.size() & 0xFFU)};
    bytes.insert(bytes.end(), std::begin(header), std::end(header));
    bytes.insert(bytes.end(), value.begin(), value.end());
    while (bytes.size() % 4 != 0) bytes.push_back(padding);
    set_length(bytes.size() - kHeaderBytes);
    return *this;
  }
  RawMessage& add(AttributeType type, Bytes value, std::uint8_t padding = 0) {
    return add(static_cast<std::uint16_t>(type), value, padding);
  }
  RawMessage& add_fingerprint() {
    set_length(bytes.size() - kHeaderBytes + 8);
    std::uint8_t value[4] = {};
    Writer(value).u32(crypto::crc32(bytes) ^ 0x5354554EU);
    return add(AttributeType::fingerprint, value);
  }
  void set_length(std::size_t length) {
    bytes[2] = static_cast<std::uint8_t>(length >> 8U);
    bytes[3] = static_cast<std::uint8_t>(length & 0xFFU);
  }
};

TEST(Message, TypeBitsOfEveryMethodAndClassRoundTrip) {
  for (unsigned method = 0; method <= 0xFFF; ++method) {
    for (unsigned message_class = 0; message_class < 4; ++message_class) {
      std::array<std::uint8_t, kHeaderBytes> buffer{};
      const Bytes built = MessageBuilder(buffer, static_cast<MessageClass>(message_class),
                                         static_cast<Method>(method), kTransactionId)
                              .finish();
      const auto message = Message::parse(built);
      ASSERT_TRUE(message.has_value());
      ASSERT_EQ(static_cast<unsigned>(message->method()), method);
      ASSERT_EQ(static_cast<unsigned>(message->message_class()), message_class);
      ASSERT_EQ(message->transaction_id(), kTransactionId);
    }
  }
}

TEST(Message, TypesAreTheNumbersThatTheRfcsPrint) {
  const auto type_of = [](MessageClass message_class, Method method) {
    std::array<std::uint8_t, kHeaderBytes> buffer{};
    return Reader(MessageBuilder(buffer, message_class, method, kTransactionId).finish()).u16();
  };
  EXPECT_EQ(type_of(MessageClass::request, Method::binding), 0x0001);
  EXPECT_EQ(type_of(MessageClass::indication, Method::binding), 0x0011);
  EXPECT_EQ(type_of(MessageClass::success_response, Method::binding), 0x0101);
  EXPECT_EQ(type_of(MessageClass::error_response, Method::binding), 0x0111);
  EXPECT_EQ(type_of(MessageClass::error_response, Method::allocate), 0x0113);
  EXPECT_EQ(type_of(MessageClass::indication, Method::send), 0x0016);
  EXPECT_EQ(type_of(MessageClass::indication, Method::data), 0x0017);
  EXPECT_EQ(type_of(MessageClass::success_response, Method::channel_bind), 0x0109);
}

TEST(Message, RefusesWhatIsNoMessage) {
  const Buffer good = copy_of(vectors::kRfc5769Request);
  EXPECT_EQ(error_of({}), ParseError::too_short);
  EXPECT_EQ(error_of(Bytes(good).first(19)), ParseError::too_short);

  for (const unsigned bits : {0x40U, 0x80U, 0xC0U}) {
    Buffer wrong = good;
    wrong[0] = static_cast<std::uint8_t>(wrong[0] | bits);
    EXPECT_EQ(error_of(wrong), ParseError::not_stun);
  }
  for (std::size_t at = 4; at < 8; ++at) {
    Buffer wrong = good;
    wrong[at] ^= 1U;
    EXPECT_EQ(error_of(wrong), ParseError::bad_cookie);
  }
  Buffer longer = good;
  longer.push_back(0);
  EXPECT_EQ(error_of(longer), ParseError::bad_length);
}

TEST(Message, EveryTruncationFails) {
  const Bytes vectors[] = {vectors::kRfc5769Request, vectors::kRfc5769Ipv4Response,
                           vectors::kRfc5769Ipv6Response, vectors::kRfc5769LongTermRequest,
                           vectors::kRfc8489UserhashRequest};
  for (const Bytes whole : vectors) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Buffer exact = copy_of(whole.first(size));  // a heap block of its own: a read past it is seen
      ASSERT_EQ(error_of(exact), ParseError::too_short) << size;
    }
  }
}

TEST(Message, EveryTruncationWithItsLengthPatchedEndsCleanly) {
  const Bytes whole = vectors::kRfc5769Request;
  for (std::size_t size = kHeaderBytes; size < whole.size(); size += 4) {
    RawMessage cut;
    cut.bytes = copy_of(whole.first(size));
    cut.set_length(size - kHeaderBytes);
    const auto message = Message::parse(cut.bytes);
    if (message) {
      EXPECT_FALSE(message->has_fingerprint());
      // The integrity attribute of the vector survives only in the cut that takes off the fingerprint alone.
      EXPECT_EQ(message->verify_integrity(as_bytes(vectors::kShortTermPassword)), size == whole.size() - 8);
    } else {
      EXPECT_EQ(message.error(), ParseError::attribute_overrun);
    }
  }
}

TEST(Message, EveryHeaderLengthButTheTrueOneFails) {
  RawMessage raw;
  raw.bytes = copy_of(vectors::kRfc5769Request);
  for (std::size_t length = 0; length <= 65535; ++length) {
    raw.set_length(length);
    ASSERT_EQ(Message::parse(raw.bytes).has_value(), length == raw.bytes.size() - kHeaderBytes) << length;
  }
}

TEST(Message, EveryAttributeLengthStaysInside) {
  RawMessage raw;
  raw.add(AttributeType::software, as_bytes("twelve bytes")).add(AttributeType::data, as_bytes("end"));
  for (unsigned length = 0; length <= 65535; ++length) {
    raw.bytes[22] = static_cast<std::uint8_t>(length >> 8U);
    raw.bytes[23] = static_cast<std::uint8_t>(length & 0xFFU);
    const auto message = Message::parse(raw.bytes);
    if (!message) {
      ASSERT_EQ(message.error(), ParseError::attribute_overrun);
      continue;
    }
    for (const Attribute& attribute : message->attributes()) {
      ASSERT_GE(attribute.value.data(), raw.bytes.data());
      ASSERT_LE(attribute.value.data() + attribute.value.size(), raw.bytes.data() + raw.bytes.size());
    }
  }
}

TEST(Message, PaddingMayHaveAnyValueAndIsNotPartOfTheValue) {
  RawMessage raw;
  raw.add(AttributeType::software, as_bytes("five."), 0xFF).add(AttributeType::data, as_bytes("x"), 0x20);
  const auto message = Message::parse(raw.bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(as_text(message->find(AttributeType::software)->value), "five.");
  EXPECT_EQ(as_text(message->find(AttributeType::data)->value), "x");
}

TEST(Message, TheFirstOfDuplicatesCounts) {
  RawMessage raw;
  raw.add(AttributeType::nonce, as_bytes("first")).add(AttributeType::nonce, as_bytes("second"));
  const auto message = Message::parse(raw.bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(as_text(message->find(AttributeType::nonce)->value), "first");
}

TEST(Message, AttributesAfterMessageIntegrityAreIgnoredButSha256AndFingerprint) {
  const Buffer sha1(20);
  const Buffer sha256(32);
  RawMessage raw;
  raw.add(AttributeType::username, as_bytes("alice"))
      .add(AttributeType::message_integrity, sha1)
      .add(AttributeType::lifetime, as_bytes("late"))
      .add(AttributeType::message_integrity, as_bytes("again"))
      .add(AttributeType::message_integrity_sha256, sha256)
      .add(AttributeType::realm, as_bytes("later"))
      .add_fingerprint();
  const auto message = Message::parse(raw.bytes);
  ASSERT_TRUE(message.has_value());
  ASSERT_EQ(message->attributes().size(), 4U);
  EXPECT_EQ(message->attributes()[0].type, static_cast<std::uint16_t>(AttributeType::username));
  EXPECT_EQ(message->attributes()[1].value.size(), 20U);
  EXPECT_EQ(message->attributes()[2].value.size(), 32U);
  EXPECT_EQ(message->attributes()[3].type, static_cast<std::uint16_t>(AttributeType::fingerprint));
  EXPECT_FALSE(message->has(AttributeType::lifetime));
  EXPECT_FALSE(message->has(AttributeType::realm));
}

TEST(Message, AfterMessageIntegritySha256OnlyFingerprintCounts) {
  const Buffer sha1(20);
  const Buffer sha256(32);
  RawMessage raw;
  raw.add(AttributeType::message_integrity_sha256, sha256)
      .add(AttributeType::message_integrity, sha1)
      .add(AttributeType::message_integrity_sha256, sha256)
      .add(AttributeType::username, as_bytes("mallory"))
      .add_fingerprint();
  const auto message = Message::parse(raw.bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->attributes().size(), 2U);
  EXPECT_FALSE(message->has(AttributeType::message_integrity));
  EXPECT_FALSE(message->has(AttributeType::username));
  EXPECT_TRUE(message->has_fingerprint());
}

TEST(Message, FingerprintMustBeLastAndRightAndOfFourBytes) {
  RawMessage right;
  right.add(AttributeType::software, as_bytes("soft")).add_fingerprint();
  EXPECT_TRUE(Message::parse(right.bytes).has_value());
  for (std::size_t at = 0; at < right.bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Buffer flipped = right.bytes;
      flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1U << bit));
      const auto message = Message::parse(flipped);
      // A flip may hide FINGERPRINT (in its type, or in a length before it), but none keeps it right.
      ASSERT_FALSE(message && message->has_fingerprint()) << at << " " << bit;
    }
  }
  RawMessage not_last = right;
  not_last.add(AttributeType::software, as_bytes("tail"));
  EXPECT_EQ(error_of(not_last.bytes), ParseError::bad_fingerprint);

  RawMessage short_one;
  short_one.add(AttributeType::fingerprint, as_bytes("abc"));
  EXPECT_EQ(error_of(short_one.bytes), ParseError::bad_fingerprint);
}

TEST(Message, ParsesInPlaceAndKeepsNothingOfTheLastOne) {
  RawMessage first;
  first.add(AttributeType::software, as_bytes("one"));
  first.add(AttributeType::realm, as_bytes("two"));
  RawMessage second;
  second.add(AttributeType::nonce, as_bytes("three"));
  Message message;
  EXPECT_TRUE(message.attributes().empty());
  ASSERT_TRUE(Message::parse_into(message, first.bytes));
  EXPECT_EQ(message.attributes().size(), 2U);
  ASSERT_TRUE(Message::parse_into(message, second.bytes));
  ASSERT_EQ(message.attributes().size(), 1U);
  EXPECT_TRUE(message.has(AttributeType::nonce));
  EXPECT_FALSE(message.has(AttributeType::software));
  const Message copy = message;
  EXPECT_EQ(as_text(copy.find(AttributeType::nonce)->value), "three");
}

TEST(Message, AttributesUpToTheLimitParseAndNoMoreDo) {
  RawMessage raw;
  for (std::size_t i = 0; i < kAttributesLimit; ++i) raw.add(AttributeType::software, {});
  EXPECT_TRUE(Message::parse(raw.bytes).has_value());
  raw.add(AttributeType::software, {});
  EXPECT_EQ(error_of(raw.bytes), ParseError::too_many_attributes);
}

TEST(Message, EveryCoveredByteMatters) {
  const Bytes key = as_bytes("the key");
  std::array<std::uint8_t, 200> buffer{};
  MessageBuilder builder(buffer, MessageClass::request, Method::refresh, kTransactionId);
  builder.add(AttributeType::username, as_bytes("alice")).add(AttributeType::realm, as_bytes("example.org"));
  const Buffer whole = copy_of(builder.add_message_integrity(key).add_message_integrity_sha256(key).finish());
  const std::size_t sha256_begins = whole.size() - 36;
  const std::size_t sha1_begins = sha256_begins - 24;
  const auto before = Message::parse(whole);
  ASSERT_TRUE(before && before->verify_integrity(key) && before->verify_integrity_sha256(key));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Buffer flipped = whole;
      flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1U << bit));
      const auto message = Message::parse(flipped);
      if (!message) continue;
      ASSERT_FALSE(message->verify_integrity_sha256(key)) << at;
      ASSERT_EQ(message->verify_integrity(key), at >= sha256_begins) << at << " " << sha1_begins;
    }
  }
}

TEST(Message, ATamperedTailIsIgnoredAndLeavesIntegrityWhole) {
  const Bytes key = as_bytes("the key");
  std::array<std::uint8_t, 200> buffer{};
  MessageBuilder builder(buffer, MessageClass::request, Method::refresh, kTransactionId);
  const Bytes built =
      builder.add(AttributeType::username, as_bytes("alice")).add_message_integrity(key).finish();
  RawMessage raw;
  raw.bytes = copy_of(built);
  raw.add(AttributeType::lifetime, as_bytes("evil")).add(0x7777, as_bytes("unknown and required"));
  const auto message = Message::parse(raw.bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(message->verify_integrity(key));
  EXPECT_EQ(message->attributes().size(), 2U);
}

TEST(Message, Sha256MayBeTruncatedToSixteenBytesInStepsOfFour) {
  const Bytes key = as_bytes("the key");
  for (std::size_t size = 0; size <= 40; ++size) {
    RawMessage raw;
    raw.add(AttributeType::username, as_bytes("alice"));
    RawMessage covered = raw;
    covered.set_length(raw.bytes.size() - kHeaderBytes + 4 + size);
    Buffer value = copy_of(crypto::hmac_sha256(key, covered.bytes));
    value.resize(size);
    raw.add(AttributeType::message_integrity_sha256, value);
    const auto message = Message::parse(raw.bytes);
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->verify_integrity_sha256(key), size >= 16 && size <= 32 && size % 4 == 0) << size;
  }
}

TEST(Message, IntegrityOfAnotherSizeIsRefused) {
  for (const std::size_t size : {0U, 16U, 19U, 21U, 24U, 32U}) {
    RawMessage raw;
    const Buffer value(size);
    raw.add(AttributeType::message_integrity, value);
    const auto message = Message::parse(raw.bytes);
    ASSERT_TRUE(message.has_value());
    EXPECT_FALSE(message->verify_integrity(as_bytes("key")));
  }
  const auto bare = Message::parse(RawMessage{}.bytes);
  ASSERT_TRUE(bare.has_value());
  EXPECT_FALSE(bare->verify_integrity(as_bytes("key")));
  EXPECT_FALSE(bare->verify_integrity_sha256(as_bytes("key")));
}

TEST(Message, ALongMessageOfAStreamParsesAndVerifies) {
  const Bytes key = as_bytes("the key");
  for (const std::size_t payload : {1400U, 1456U, 1460U, 1500U, 9000U, 65400U}) {
    const Buffer bytes(payload, 0xAB);
    Buffer buffer(70000);
    MessageBuilder builder(buffer, MessageClass::indication, Method::send, kTransactionId);
    builder.add(AttributeType::data, bytes).add_message_integrity(key).add_message_integrity_sha256(key);
    const Bytes built = builder.add_fingerprint().finish();
    const auto message = Message::parse(built);
    ASSERT_TRUE(message.has_value()) << payload;
    EXPECT_TRUE(message->verify_integrity(key));
    EXPECT_TRUE(message->verify_integrity_sha256(key));
    EXPECT_TRUE(equal(message->find(AttributeType::data)->value, bytes));
  }
}

TEST(Message, RandomBytesBehindAGoodHeaderNeverReadOutside) {
  std::mt19937 random(20260101);
  for (int round = 0; round < 20000; ++round) {
    RawMessage raw;
    const std::size_t words = random() % 40;
    for (std::size_t i = 0; i < 4 * words; ++i) {
      raw.bytes.push_back(random() % 3 == 0 ? static_cast<std::uint8_t>(random() & 0xFFU) : std::uint8_t{0});
    }
    raw.set_length(4 * words);
    const auto message = Message::parse(raw.bytes);
    if (!message) continue;
    EXPECT_FALSE(message->verify_integrity(as_bytes("key")));
    EXPECT_FALSE(message->verify_integrity_sha256(as_bytes("key")));
  }
}

}  // namespace
}  // namespace offhook::stun
