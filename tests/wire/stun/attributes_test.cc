// Every attribute of RFC 8489: what is added is read back, and what is malformed is refused.

#include <gtest/gtest.h>

#include <random>

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

namespace offhook::stun {
namespace {

constexpr TransactionId kTransactionId = {0xB7, 0xE7, 0xA7, 0x01, 0xBC, 0x34,
                                          0xD6, 0x86, 0xFA, 0x87, 0xDF, 0xAE};

// The value that `add` writes, by way of a whole message.
template <typename Add>
Buffer value_of(AttributeType type, Add add) {
  std::array<std::uint8_t, kMessageBytesLimit> buffer{};
  MessageBuilder builder(buffer, MessageClass::request, Method::binding, kTransactionId);
  add(builder);
  const auto message = Message::parse(builder.finish());
  EXPECT_TRUE(message.has_value() && message->has(type));
  if (!message || !message->has(type)) return {};
  const Bytes value = message->find(type)->value;
  return {value.begin(), value.end()};
}

std::string repeated(std::string_view piece, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text.append(piece);
  return text;
}

Address random_address(std::mt19937& random) {
  const auto octet = [&] { return static_cast<std::uint8_t>(random() & 0xFFU); };
  const auto port = static_cast<std::uint16_t>(random() & 0xFFFFU);
  if (random() % 2 == 0) return {Ip::v4({octet(), octet(), octet(), octet()}), port};
  std::array<std::uint8_t, 16> octets{};
  for (std::uint8_t& each : octets) each = octet();
  return {Ip::v6(octets), port};
}

TEST(XorAddress, RandomAddressesRoundTripUnderEveryType) {
  std::mt19937 random(8489);
  for (int round = 0; round < 2000; ++round) {
    const Address address = random_address(random);
    for (const AttributeType type : {AttributeType::xor_mapped_address, AttributeType::xor_peer_address,
                                     AttributeType::xor_relayed_address}) {
      const Buffer value =
          value_of(type, [&](MessageBuilder& builder) { add_xor_address(builder, type, address); });
      ASSERT_EQ(parse_xor_address(value, kTransactionId), address);
    }
  }
}

TEST(XorAddress, AnIpv4MappedIpv6AddressStaysIpv6) {
  const auto address = Address::parse("[::ffff:192.0.2.1]:3478");
  ASSERT_TRUE(address.has_value());
  const Buffer value = value_of(AttributeType::xor_peer_address, [&](MessageBuilder& builder) {
    add_xor_address(builder, AttributeType::xor_peer_address, *address);
  });
  EXPECT_EQ(value.size(), 20U);
  const auto read = parse_xor_address(value, kTransactionId);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->family(), Family::ipv6);
  EXPECT_EQ(*read, *address);
}

TEST(XorAddress, TheTransactionIdHidesIpv6AndNotIpv4) {
  const TransactionId another{};
  const Buffer four = value_of(AttributeType::xor_peer_address, [](MessageBuilder& builder) {
    add_xor_address(builder, AttributeType::xor_peer_address, {Ip::v4({192, 0, 2, 1}), 9});
  });
  EXPECT_EQ(parse_xor_address(four, another), parse_xor_address(four, kTransactionId));
  const Buffer six = value_of(AttributeType::xor_peer_address, [](MessageBuilder& builder) {
    add_xor_address(builder, AttributeType::xor_peer_address, {Ip::v6({0x20, 1}), 9});
  });
  EXPECT_NE(parse_xor_address(six, another), parse_xor_address(six, kTransactionId));
}

TEST(XorAddress, FamilyAndLengthMustAgree) {
  for (unsigned family = 0; family <= 255; ++family) {
    for (std::size_t size = 0; size <= 24; ++size) {
      Buffer value(size);
      if (size > 1) value[1] = static_cast<std::uint8_t>(family);
      const bool right = (family == 1 && size == 8) || (family == 2 && size == 20);
      ASSERT_EQ(parse_xor_address(value, kTransactionId).has_value(), right);
      ASSERT_EQ(parse_mapped_address(value).has_value(), right);
    }
  }
}

TEST(XorAddress, TheFirstByteIsIgnored) {
  EXPECT_EQ(parse_mapped_address(Buffer{0xFF, 1, 0x0D, 0x96, 192, 0, 2, 1}),
            Address::parse("192.0.2.1:3478"));
  EXPECT_EQ(parse_xor_address(Buffer{0xFF, 1, 0xA1, 0x47, 0xE1, 0x12, 0xA6, 0x43}, kTransactionId),
            Address::parse("192.0.2.1:32853"));
}

TEST(MappedAddress, RoundTrips) {
  std::mt19937 random(5389);
  for (int round = 0; round < 1000; ++round) {
    const Address address = random_address(random);
    const Buffer value = value_of(AttributeType::mapped_address,
                                  [&](MessageBuilder& builder) { add_mapped_address(builder, address); });
    ASSERT_EQ(parse_mapped_address(value), address);
  }
}

TEST(ErrorCode, EveryNumberRoundTrips) {
  for (std::uint16_t number = 300; number <= 699; ++number) {
    const Buffer value = value_of(AttributeType::error_code, [&](MessageBuilder& builder) {
      add_error_code(builder, {number, "why"});
    });
    const auto error = parse_error_code(value);
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->number, number);
    EXPECT_EQ(error->reason, "why");
  }
}

TEST(ErrorCode, ACodeBringsItsReason) {
  const Buffer value = value_of(AttributeType::error_code, [](MessageBuilder& builder) {
    add_error_code(builder, ErrorCode::stale_nonce);
  });
  const auto error = parse_error_code(value);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->number, 438);
  EXPECT_EQ(error->reason, "Stale Nonce");
}

TEST(ErrorCode, TheReasonMayBeEmptyAndReservedBitsAreIgnored) {
  const auto error = parse_error_code(Buffer{0xFF, 0xFF, 0xFC, 20});
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->number, 420);
  EXPECT_EQ(error->reason, "");
}

TEST(ErrorCode, RefusesWhatIsOutOfRange) {
  for (std::size_t size = 0; size < 4; ++size) EXPECT_FALSE(parse_error_code(Buffer(size, 4)).has_value());
  for (std::uint8_t error_class = 0; error_class < 8; ++error_class) {
    EXPECT_EQ(parse_error_code(Buffer{0, 0, error_class, 0}).has_value(),
              error_class >= 3 && error_class <= 6);
  }
  EXPECT_TRUE(parse_error_code(Buffer{0, 0, 4, 99}).has_value());
  EXPECT_FALSE(parse_error_code(Buffer{0, 0, 4, 100}).has_value());
  EXPECT_FALSE(parse_error_code(Buffer{0, 0, 4, 0, 0xFF}).has_value());
}

TEST(UnknownAttributes, ListsRoundTrip) {
  std::vector<std::uint16_t> types;
  for (std::size_t count = 0; count <= kAttributesLimit; ++count) {
    const Buffer value = value_of(AttributeType::unknown_attributes,
                                  [&](MessageBuilder& builder) { add_unknown_attributes(builder, types); });
    EXPECT_EQ(parse_unknown_attributes(value), types);
    types.push_back(static_cast<std::uint16_t>(0x7F00 + count));
  }
}

TEST(UnknownAttributes, RefusesOddAndOverlongLists) {
  EXPECT_FALSE(parse_unknown_attributes(Buffer(1)).has_value());
  EXPECT_FALSE(parse_unknown_attributes(Buffer(3)).has_value());
  EXPECT_FALSE(parse_unknown_attributes(Buffer(2 * kAttributesLimit + 2)).has_value());
}

TEST(Username, HasAtMost508BytesOfUtf8) {
  const std::string longest(kUsernameBytesLimit, 'u');
  const Buffer value =
      value_of(AttributeType::username, [&](MessageBuilder& builder) { add_username(builder, longest); });
  EXPECT_EQ(parse_username(value), longest);
  EXPECT_FALSE(parse_username(as_bytes(longest + "u")).has_value());
  EXPECT_FALSE(parse_username(as_bytes("caf\xE9")).has_value());
  EXPECT_EQ(parse_username(as_bytes("1900000000:caf\xC3\xA9")), "1900000000:caf\xC3\xA9");
}

TEST(RealmNonceSoftware, HaveAtMost127Characters) {
  const std::string ascii(127, 'r');
  const std::string wide = repeated("\xF0\x9F\x93\x9E", 127);  // 508 bytes
  for (const std::string& text : {std::string(), ascii, wide}) {
    EXPECT_EQ(parse_realm(value_of(AttributeType::realm, [&](MessageBuilder& b) { add_realm(b, text); })),
              text);
    EXPECT_EQ(parse_nonce(value_of(AttributeType::nonce, [&](MessageBuilder& b) { add_nonce(b, text); })),
              text);
    EXPECT_EQ(
        parse_software(value_of(AttributeType::software, [&](MessageBuilder& b) { add_software(b, text); })),
        text);
  }
  for (const std::string& text : {ascii + "r", wide + "r", std::string(764, 'r'), std::string("\xC3")}) {
    EXPECT_FALSE(parse_realm(as_bytes(text)).has_value());
    EXPECT_FALSE(parse_nonce(as_bytes(text)).has_value());
    EXPECT_FALSE(parse_software(as_bytes(text)).has_value());
  }
}

TEST(PasswordAlgorithms, RoundTripWithAndWithoutParameters) {
  const Buffer parameters = {1, 2, 3, 4, 5};
  for (std::size_t size = 0; size <= parameters.size(); ++size) {
    const Bytes some = Bytes(parameters).first(size);
    const PasswordAlgorithm both[] = {{kPasswordAlgorithmSha256, some}, {kPasswordAlgorithmMd5, {}}};
    const Buffer value = value_of(AttributeType::password_algorithms,
                                  [&](MessageBuilder& builder) { add_password_algorithms(builder, both); });
    const auto list = parse_password_algorithms(value);
    ASSERT_TRUE(list && list->size() == 2);
    EXPECT_EQ(list->at(0).algorithm, kPasswordAlgorithmSha256);
    EXPECT_TRUE(equal(list->at(0).parameters, some));
    EXPECT_EQ(list->at(1).algorithm, kPasswordAlgorithmMd5);

    const Buffer single = value_of(AttributeType::password_algorithm, [&](MessageBuilder& builder) {
      add_password_algorithm(builder, both[0]);
    });
    const auto one = parse_password_algorithm(single);
    ASSERT_TRUE(one.has_value());
    EXPECT_TRUE(equal(one->parameters, some));
  }
}

TEST(PasswordAlgorithms, RefusesBrokenLists) {
  EXPECT_FALSE(parse_password_algorithms({}).has_value());
  EXPECT_FALSE(parse_password_algorithms(Buffer{0, 1}).has_value());
  EXPECT_FALSE(parse_password_algorithms(Buffer{0, 1, 0, 1}).has_value());
  EXPECT_FALSE(parse_password_algorithms(Buffer{0, 1, 0xFF, 0xFF, 0, 0, 0, 0}).has_value());
  EXPECT_FALSE(parse_password_algorithms(Buffer{0, 1, 0, 0, 0, 2}).has_value());
  EXPECT_TRUE(parse_password_algorithms(Buffer(4 * kPasswordAlgorithmsLimit)).has_value());
  EXPECT_FALSE(parse_password_algorithms(Buffer(4 * kPasswordAlgorithmsLimit + 4)).has_value());
  EXPECT_FALSE(parse_password_algorithm({}).has_value());
  EXPECT_FALSE(parse_password_algorithm(Buffer{0, 1, 0, 0, 0, 2, 0, 0}).has_value());
}

TEST(PasswordAlgorithms, TheLastPaddingMayBeAbsent) {
  const Buffer unpadded = {0, 2, 0, 1, 0x55};
  const auto list = parse_password_algorithms(unpadded);
  ASSERT_TRUE(list && list->size() == 1);
  EXPECT_EQ(list->front().parameters.size(), 1U);
}

TEST(Userhash, HasThirtyTwoBytes) {
  Userhash hash{};
  for (std::size_t i = 0; i < hash.size(); ++i) hash[i] = static_cast<std::uint8_t>(i);
  const Buffer value =
      value_of(AttributeType::userhash, [&](MessageBuilder& builder) { add_userhash(builder, hash); });
  EXPECT_EQ(parse_userhash(value), hash);
  for (const std::size_t size : {0U, 31U, 33U}) EXPECT_FALSE(parse_userhash(Buffer(size)).has_value());
}

}  // namespace
}  // namespace offhook::stun
