// Every attribute of RFC 8656: what is added is read back, and what has another length is refused.

#include <gtest/gtest.h>

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

namespace offhook::turn {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;

// The value that `add` writes, by way of a whole message.
template <typename Add>
Buffer value_of(AttributeType type, Add add) {
  std::array<std::uint8_t, stun::kMessageBytesLimit> buffer{};
  MessageBuilder builder(buffer, stun::MessageClass::request, stun::Method::allocate, {});
  add(builder);
  const auto message = stun::Message::parse(builder.finish());
  EXPECT_TRUE(message.has_value() && message->has(type));
  if (!message || !message->has(type)) return {};
  const Bytes value = message->find(type)->value;
  return {value.begin(), value.end()};
}

// `parse` takes a value of `right` bytes and of no other size.
template <typename Parse>
void expect_only_size(std::size_t right, Parse parse) {
  for (std::size_t size = 0; size <= 16; ++size)
    EXPECT_EQ(parse(Buffer(size)).has_value(), size == right) << size;
}

TEST(ChannelNumber, RoundTripsAndIgnoresTheReservedBytes) {
  const Buffer value = value_of(AttributeType::channel_number,
                                [](MessageBuilder& builder) { add_channel_number(builder, 0x4ABC); });
  EXPECT_EQ(value, (Buffer{0x4A, 0xBC, 0, 0}));
  EXPECT_EQ(parse_channel_number(value), 0x4ABC);
  EXPECT_EQ(parse_channel_number(Buffer{0x12, 0x34, 0xFF, 0xFF}), 0x1234);
  expect_only_size(4, parse_channel_number);
}

TEST(Lifetime, RoundTripsAllOf32Bits) {
  for (const std::uint32_t seconds : {0U, 1U, 600U, 3600U, UINT32_MAX}) {
    const Buffer value = value_of(AttributeType::lifetime, [&](MessageBuilder& builder) {
      add_lifetime(builder, std::chrono::seconds(seconds));
    });
    EXPECT_EQ(parse_lifetime(value), std::chrono::seconds(seconds));
  }
  expect_only_size(4, parse_lifetime);
}

TEST(RequestedTransport, RoundTripsAndIgnoresTheReservedBytes) {
  const Buffer value = value_of(AttributeType::requested_transport, [](MessageBuilder& builder) {
    add_requested_transport(builder, kRequestedTransportUdp);
  });
  EXPECT_EQ(value, (Buffer{17, 0, 0, 0}));
  EXPECT_EQ(parse_requested_transport(value), kRequestedTransportUdp);
  EXPECT_EQ(parse_requested_transport(Buffer{6, 1, 2, 3}), 6);
  expect_only_size(4, parse_requested_transport);
}

TEST(RequestedAddressFamily, RoundTripsAndGivesUnknownFamiliesAsSent) {
  const Buffer value = value_of(AttributeType::requested_address_family, [](MessageBuilder& builder) {
    add_requested_address_family(builder, Family::ipv6);
  });
  EXPECT_EQ(value, (Buffer{2, 0, 0, 0}));
  EXPECT_EQ(parse_requested_address_family(value), 2);
  EXPECT_EQ(parse_requested_address_family(Buffer{9, 1, 1, 1}), 9);
  expect_only_size(4, parse_requested_address_family);
}

TEST(AdditionalAddressFamily, RoundTripsAndGivesUnknownFamiliesAsSent) {
  const Buffer value = value_of(AttributeType::additional_address_family, [](MessageBuilder& builder) {
    add_additional_address_family(builder, Family::ipv6);
  });
  EXPECT_EQ(value, (Buffer{2, 0, 0, 0}));
  EXPECT_EQ(parse_additional_address_family(value), 2);
  EXPECT_EQ(parse_additional_address_family(Buffer{1, 0, 0, 0}), 1);
  expect_only_size(4, parse_additional_address_family);
}

TEST(EvenPort, TheFirstBitIsR) {
  for (const bool reserve : {false, true}) {
    const Buffer value = value_of(AttributeType::even_port,
                                  [&](MessageBuilder& builder) { add_even_port(builder, {reserve}); });
    EXPECT_EQ(value, (Buffer{static_cast<std::uint8_t>(reserve ? 0x80 : 0)}));
    const auto even_port = parse_even_port(value);
    ASSERT_TRUE(even_port.has_value());
    EXPECT_EQ(even_port->reserve_next, reserve);
  }
  const auto reserved_bits = parse_even_port(Buffer{0x7F});
  ASSERT_TRUE(reserved_bits.has_value());
  EXPECT_FALSE(reserved_bits->reserve_next);
  expect_only_size(1, parse_even_port);
}

TEST(ReservationToken, RoundTrips) {
  const ReservationToken token = {1, 2, 3, 4, 5, 6, 7, 8};
  const Buffer value = value_of(AttributeType::reservation_token,
                                [&](MessageBuilder& builder) { add_reservation_token(builder, token); });
  EXPECT_EQ(parse_reservation_token(value), token);
  expect_only_size(8, parse_reservation_token);
}

TEST(DontFragment, HasNoValue) {
  const Buffer value =
      value_of(AttributeType::dont_fragment, [](MessageBuilder& builder) { add_dont_fragment(builder); });
  EXPECT_TRUE(value.empty());
  expect_only_size(0, parse_dont_fragment);
}

TEST(AddressErrorCode, RoundTripsForBothFamilies) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const std::string_view reason : {"", "Address Family not Supported"}) {
      const Buffer value = value_of(AttributeType::address_error_code, [&](MessageBuilder& builder) {
        add_address_error_code(builder, {family, 440, reason});
      });
      const auto error = parse_address_error_code(value);
      ASSERT_TRUE(error.has_value());
      EXPECT_EQ(error->family, family);
      EXPECT_EQ(error->number, 440);
      EXPECT_EQ(error->reason, reason);
    }
  }
}

TEST(AddressErrorCode, RefusesBadFamiliesAndBadNumbers) {
  for (unsigned family = 0; family <= 255; ++family) {
    EXPECT_EQ(parse_address_error_code(Buffer{static_cast<std::uint8_t>(family), 0, 4, 40}).has_value(),
              family == 1 || family == 2);
  }
  EXPECT_FALSE(parse_address_error_code(Buffer{2, 0, 4, 100}).has_value());
  EXPECT_FALSE(parse_address_error_code(Buffer{2, 0, 2, 40}).has_value());
  for (std::size_t size = 0; size < 4; ++size)
    EXPECT_FALSE(parse_address_error_code(Buffer(size, 2)).has_value());
}

TEST(IcmpAttribute, SevenBitsOfTypeAndNineOfCode) {
  const Buffer value = value_of(AttributeType::icmp, [](MessageBuilder& builder) {
    add_icmp(builder, {3, 4, 1400});
  });
  EXPECT_EQ(value, (Buffer{0, 0, 0x06, 0x04, 0, 0, 0x05, 0x78}));
  for (unsigned type = 0; type <= 127; ++type) {
    for (unsigned code = 0; code <= 511; ++code) {
      const Icmp icmp{static_cast<std::uint8_t>(type), static_cast<std::uint16_t>(code), type * code};
      const auto read = parse_icmp(
          value_of(AttributeType::icmp, [&](MessageBuilder& builder) { add_icmp(builder, icmp); }));
      ASSERT_TRUE(read && read->type == type && read->code == code && read->error_data == type * code);
    }
  }
  expect_only_size(8, parse_icmp);
}

}  // namespace
}  // namespace offhook::turn
