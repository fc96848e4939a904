#include <gtest/gtest.h>

#include "wire/stun/message.h"

namespace offhook::stun {
namespace {

constexpr TransactionId kTransactionId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

TEST(MessageBuilder, AnEmptyMessageIsItsHeader) {
  std::array<std::uint8_t, kHeaderBytes> buffer{};
  const Bytes built = MessageBuilder(buffer, MessageClass::request, Method::binding, kTransactionId).finish();
  EXPECT_EQ(built.size(), kHeaderBytes);
  EXPECT_TRUE(Message::parse(built).has_value());
}

TEST(MessageBuilder, PadsWithZeros) {
  std::array<std::uint8_t, 64> buffer;
  buffer.fill(0xEE);
  MessageBuilder builder(buffer, MessageClass::request, Method::binding, kTransactionId);
  const Bytes built = builder.add(AttributeType::software, as_bytes("a")).finish();
  ASSERT_EQ(built.size(), kHeaderBytes + 8);
  EXPECT_EQ(built[24], 'a');
  for (std::size_t at = 25; at < 28; ++at) EXPECT_EQ(built[at], 0);
}

TEST(MessageBuilder, AnySmallerBufferGivesNothing) {
  const auto build = [](MutableBytes buffer) {
    MessageBuilder builder(buffer, MessageClass::request, Method::allocate, kTransactionId);
    builder.add(AttributeType::username, as_bytes("alice"));
    builder.add_message_integrity(as_bytes("key")).add_message_integrity_sha256(as_bytes("key"));
    return builder.add_fingerprint().finish().size();
  };
  std::array<std::uint8_t, 200> buffer{};
  const std::size_t whole = build(buffer);
  EXPECT_EQ(whole, kHeaderBytes + 12 + 24 + 36 + 8);
  for (std::size_t size = 0; size < whole; ++size) {
    Buffer exact(size);
    EXPECT_EQ(build(exact), 0U) << size;
  }
}

TEST(MessageBuilder, NoMessageOutgrowsItsLengthField) {
  Buffer buffer(200000);
  const auto build = [&](std::size_t value_bytes) {
    const Buffer value(value_bytes);
    MessageBuilder builder(buffer, MessageClass::indication, Method::data, kTransactionId);
    return builder.add(AttributeType::data, value).finish();
  };
  EXPECT_EQ(build(65528).size(), kHeaderBytes + 65532);
  EXPECT_TRUE(Message::parse(build(65528)).has_value());
  for (const std::size_t too_long : {65529U, 65535U, 65536U, 65540U, 131072U})
    EXPECT_TRUE(build(too_long).empty());
}

TEST(MessageBuilder, OverflowIsSticky) {
  std::array<std::uint8_t, kHeaderBytes + 8> buffer{};
  MessageBuilder builder(buffer, MessageClass::request, Method::binding, kTransactionId);
  builder.add(AttributeType::software, as_bytes("five bytes and more"));
  builder.add(AttributeType::dont_fragment, {});
  EXPECT_TRUE(builder.finish().empty());
}

}  // namespace
}  // namespace offhook::stun
