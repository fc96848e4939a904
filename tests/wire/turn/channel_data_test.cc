#include "wire/turn/channel_data.h"

#include <gtest/gtest.h>

namespace offhook::turn {
namespace {

Buffer channel_data(std::uint16_t number, Bytes payload) {
  Buffer bytes(kChannelDataHeaderBytes);
  write_channel_data_header(bytes, number, static_cast<std::uint16_t>(payload.size()));
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

TEST(ChannelData, RoundTripsAllSizesOfADatagram) {
  for (const std::size_t size : {0U, 1U, 2U, 3U, 4U, 172U, 1200U, 65535U}) {
    const Buffer payload(size, 0x5A);
    const Buffer bytes = channel_data(0x4001, payload);
    const auto parsed = parse_channel_data(bytes);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->channel_number, 0x4001);
    EXPECT_TRUE(equal(parsed->payload, payload));
  }
}

TEST(ChannelData, OnlyNumbersOfTheRangeAreTaken) {
  for (unsigned number = 0; number <= 0xFFFF; ++number) {
    const Buffer bytes = {static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number & 0xFFU),
                          0, 0};
    ASSERT_EQ(parse_channel_data(bytes).has_value(), number >= 0x4000 && number <= 0x7FFF) << number;
  }
}

TEST(ChannelData, EveryTruncationIsRefused) {
  const Buffer whole = channel_data(0x4FFF, as_bytes("payload"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Buffer exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(parse_channel_data(exact).has_value()) << size;
  }
}

TEST(ChannelData, EveryLengthStaysInside) {
  Buffer bytes = channel_data(0x4000, as_bytes("payload"));
  for (unsigned length = 0; length <= 65535; ++length) {
    bytes[2] = static_cast<std::uint8_t>(length >> 8U);
    bytes[3] = static_cast<std::uint8_t>(length & 0xFFU);
    const auto parsed = parse_channel_data(bytes);
    ASSERT_EQ(parsed.has_value(), length <= 7);
    if (parsed.has_value()) {
      ASSERT_EQ(parsed->payload.size(), length);
    }
  }
}

TEST(ChannelData, BytesAfterThePayloadAreIgnored) {
  Buffer bytes = channel_data(0x4000, as_bytes("abc"));
  bytes.push_back(0xFF);
  const auto parsed = parse_channel_data(bytes);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(as_text(parsed->payload), "abc");
}

TEST(ChannelData, PaddingGoesUpToFour) {
  EXPECT_EQ(padded_to_four(0), 0U);
  EXPECT_EQ(padded_to_four(1), 4U);
  EXPECT_EQ(padded_to_four(4), 4U);
  EXPECT_EQ(padded_to_four(65535), 65536U);
}

}  // namespace
}  // namespace offhook::turn
