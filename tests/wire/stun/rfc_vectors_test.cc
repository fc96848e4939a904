#include "wire/stun/rfc_vectors.h"

#include <gtest/gtest.h>

#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_password_algorithms.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_software.h"
#include "wire/stun/attr_userhash.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/stun/long_term_key.h"
#include "wire/stun/message.h"

namespace offhook::stun {
namespace {

using namespace vectors;

Message parsed(Bytes datagram) {
  const auto message = Message::parse(datagram);
  EXPECT_TRUE(message.has_value());
  return message.value();
}

TEST(RfcVectors, Rfc5769RequestParsesAndVerifies) {
  const Message message = parsed(kRfc5769Request);
  EXPECT_EQ(message.message_class(), MessageClass::request);
  EXPECT_EQ(message.method(), Method::binding);
  EXPECT_TRUE(message.has_fingerprint());
  EXPECT_EQ(message.attributes().size(), 6U);
  EXPECT_EQ(parse_software(message.find(AttributeType::software)->value), "STUN test client");
  EXPECT_EQ(parse_username(message.find(AttributeType::username)->value), "evtj:h6vY");
  EXPECT_TRUE(message.verify_integrity(as_bytes(kShortTermPassword)));
  EXPECT_FALSE(message.verify_integrity(as_bytes("VOkJxbRl1RmTxUk/WvJxBT")));
  EXPECT_FALSE(message.verify_integrity_sha256(as_bytes(kShortTermPassword)));
}

TEST(RfcVectors, Rfc5769Ipv4ResponseHoldsTheAddress) {
  const Message message = parsed(kRfc5769Ipv4Response);
  EXPECT_EQ(message.message_class(), MessageClass::success_response);
  EXPECT_EQ(parse_software(message.find(AttributeType::software)->value), "test vector");
  EXPECT_EQ(
      parse_xor_address(message.find(AttributeType::xor_mapped_address)->value, message.transaction_id()),
      Address::parse("192.0.2.1:32853"));
  EXPECT_TRUE(message.verify_integrity(as_bytes(kShortTermPassword)));
  EXPECT_TRUE(message.has_fingerprint());
}

TEST(RfcVectors, Rfc5769Ipv6ResponseHoldsTheAddress) {
  const Message message = parsed(kRfc5769Ipv6Response);
  EXPECT_EQ(message.message_class(), MessageClass::success_response);
  EXPECT_EQ(
      parse_xor_address(message.find(AttributeType::xor_mapped_address)->value, message.transaction_id()),
      Address::parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
  EXPECT_TRUE(message.verify_integrity(as_bytes(kShortTermPassword)));
  EXPECT_TRUE(message.has_fingerprint());
}

TEST(RfcVectors, Rfc5769LongTermRequestVerifiesWithTheMd5Key) {
  const Message message = parsed(kRfc5769LongTermRequest);
  EXPECT_EQ(parse_username(message.find(AttributeType::username)->value), kLongTermUsername);
  EXPECT_EQ(parse_realm(message.find(AttributeType::realm)->value), kLongTermRealm);
  EXPECT_EQ(parse_nonce(message.find(AttributeType::nonce)->value), "f//499k954d6OL34oL9FSTvy64sA");
  EXPECT_FALSE(message.has_fingerprint());
  EXPECT_TRUE(
      message.verify_integrity(long_term_key_md5(kLongTermUsername, kLongTermRealm, kLongTermPassword)));
  EXPECT_FALSE(message.verify_integrity(long_term_key_md5(kLongTermUsername, kLongTermRealm, "TheMatrix")));
}

TEST(RfcVectors, Rfc8489UserhashRequestVerifiesWithTheSha256Key) {
  const Message message = parsed(kRfc8489UserhashRequest);
  EXPECT_EQ(parse_userhash(message.find(AttributeType::userhash)->value),
            userhash(kLongTermUsername, kLongTermRealm));
  const auto algorithm = parse_password_algorithm(message.find(AttributeType::password_algorithm)->value);
  ASSERT_TRUE(algorithm.has_value());
  EXPECT_EQ(algorithm->algorithm, kPasswordAlgorithmSha256);
  EXPECT_TRUE(message.verify_integrity_sha256(
      long_term_key_sha256(kLongTermUsername, kLongTermRealm, kLongTermPassword)));
  EXPECT_FALSE(message.verify_integrity_sha256(
      long_term_key_md5(kLongTermUsername, kLongTermRealm, kLongTermPassword)));
}

TEST(RfcVectors, TheBuilderWritesTheLongTermRequestByteForByte) {
  const Message message = parsed(kRfc5769LongTermRequest);
  std::array<std::uint8_t, 200> buffer{};
  MessageBuilder builder(buffer, MessageClass::request, Method::binding, message.transaction_id());
  add_username(builder, kLongTermUsername);
  add_nonce(builder, "f//499k954d6OL34oL9FSTvy64sA");
  add_realm(builder, kLongTermRealm);
  builder.add_message_integrity(long_term_key_md5(kLongTermUsername, kLongTermRealm, kLongTermPassword));
  EXPECT_TRUE(equal(builder.finish(), kRfc5769LongTermRequest));
}

TEST(RfcVectors, TheBuilderWritesTheUserhashRequestByteForByte) {
  const Message message = parsed(kRfc8489UserhashRequest);
  std::array<std::uint8_t, 200> buffer{};
  MessageBuilder builder(buffer, MessageClass::request, Method::binding, message.transaction_id());
  add_userhash(builder, userhash(kLongTermUsername, kLongTermRealm));
  add_nonce(builder, "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA");
  add_realm(builder, kLongTermRealm);
  add_password_algorithm(builder, {kPasswordAlgorithmSha256, {}});
  builder.add_message_integrity_sha256(
      long_term_key_sha256(kLongTermUsername, kLongTermRealm, kLongTermPassword));
  EXPECT_TRUE(equal(builder.finish(), kRfc8489UserhashRequest));
}

}  // namespace
}  // namespace offhook::stun
