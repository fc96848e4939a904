#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <utility>

namespace offhook {
namespace {

TEST(Reader, ReadsNetworkOrder) {
  const Buffer bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'x', 'y'};
  Reader reader(bytes);
  EXPECT_EQ(reader.u8(), 0x01);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u32(), 0x04050607U);
  EXPECT_EQ(reader.u64(), 0x08090A0B0C0D0E0FU);
  EXPECT_EQ(as_text(reader.take(1)), "x");
  EXPECT_EQ(reader.remaining(), 1U);
  EXPECT_EQ(as_text(reader.take_rest()), "y");
  EXPECT_TRUE(reader.at_end());
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, FailureIsStickyAndGivesZeros) {
  const Buffer bytes = {0xFF, 0xFF, 0xFF};
  Reader reader(bytes);
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.u16(), 0);
  EXPECT_EQ(reader.u64(), 0U);
  EXPECT_TRUE(reader.take(1).empty());
  EXPECT_TRUE(reader.take(0).empty());
  EXPECT_TRUE(reader.take_rest().empty());
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, TakingNothingAtTheEndIsNoFailure) {
  Reader reader({});
  EXPECT_TRUE(reader.take(0).empty());
  EXPECT_TRUE(reader.take_rest().empty());
  reader.skip(0);
  EXPECT_TRUE(reader.ok());
  reader.skip(1);
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, AHugeCountDoesNotWrap) {
  const Buffer bytes(8);
  Reader reader(bytes);
  EXPECT_TRUE(reader.take(SIZE_MAX).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Writer, WritesNetworkOrderAndZeros) {
  std::array<std::uint8_t, 20> buffer;
  buffer.fill(0xEE);
  Writer writer(buffer);
  writer.u8(0x01);
  writer.u16(0x0203);
  writer.u32(0x04050607);
  writer.u64(0x08090A0B0C0D0E0F);
  writer.zeros(2);
  writer.text("xy");
  writer.bytes(Buffer{0xFF});
  EXPECT_TRUE(writer.ok());
  EXPECT_TRUE(equal(writer.written(),
                    Buffer{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 'x', 'y', 0xFF}));
}

TEST(Writer, OverflowIsStickyAndWritesNothing) {
  std::array<std::uint8_t, 4> buffer;
  buffer.fill(0xEE);
  Writer writer(MutableBytes(buffer).first(3));
  writer.u16(0x0102);
  writer.u16(0x0304);
  EXPECT_FALSE(writer.ok());
  writer.u8(5);  // would fit, and is refused all the same
  EXPECT_EQ(writer.size(), 2U);
  EXPECT_EQ(buffer[2], 0xEE);
  EXPECT_EQ(buffer[3], 0xEE);
  writer.patch_u16(0, 0xFFFF);
  EXPECT_EQ(buffer[0], 1);
}

TEST(Writer, PatchesOnlyWhatIsWritten) {
  std::array<std::uint8_t, 8> buffer{};
  Writer writer(buffer);
  writer.u32(0);
  writer.patch_u16(2, 0xABCD);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(Reader(writer.written()).u32(), 0x0000ABCDU);
  writer.patch_u16(3, 0xFFFF);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(buffer[4], 0);
}

TEST(ReaderAndWriter, RandomFieldsRoundTrip) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::pair<unsigned, std::uint64_t>> fields;
    Buffer buffer(8 * 32);
    Writer writer(buffer);
    for (std::size_t count = random() % 32; count > 0; --count) {
      const unsigned kind = static_cast<unsigned>(random() % 4);
      const std::uint64_t value = random() >> (64U - (8U << kind));
      fields.emplace_back(kind, value);
      if (kind == 0) writer.u8(static_cast<std::uint8_t>(value));
      if (kind == 1) writer.u16(static_cast<std::uint16_t>(value));
      if (kind == 2) writer.u32(static_cast<std::uint32_t>(value));
      if (kind == 3) writer.u64(value);
    }
    Reader reader(writer.written());
    for (const auto& [kind, value] : fields) {
      const std::uint64_t read = kind == 0   ? reader.u8()
                                 : kind == 1 ? reader.u16()
                                 : kind == 2 ? reader.u32()
                                             : reader.u64();
      ASSERT_EQ(read, value);
    }
    ASSERT_TRUE(reader.ok() && reader.at_end());
  }
}

TEST(Bytes, EqualComparesSizesAndContent) {
  EXPECT_TRUE(equal({}, {}));
  EXPECT_TRUE(equal(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(equal(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal(as_bytes("abc"), as_bytes("ab")));
  EXPECT_EQ(to_string(as_bytes("text")), "text");
}

}  // namespace
}  // namespace offhook
