#include "wire/stun/types.h"

#include <gtest/gtest.h>

namespace offhook::stun {
namespace {

TEST(Types, NamesAreThoseOfTheRfcs) {
  EXPECT_EQ(name(Method::create_permission), "CreatePermission");
  EXPECT_EQ(name(static_cast<Method>(0xABC)), "");
  EXPECT_EQ(name(AttributeType::message_integrity_sha256), "MESSAGE-INTEGRITY-SHA256");
  EXPECT_EQ(name(AttributeType::xor_peer_address), "XOR-PEER-ADDRESS");
  EXPECT_EQ(name(AttributeType::icmp), "ICMP");
  EXPECT_EQ(reason_phrase(ErrorCode::unauthenticated), "Unauthenticated");
  EXPECT_EQ(reason_phrase(ErrorCode::allocation_mismatch), "Allocation Mismatch");
  EXPECT_EQ(reason_phrase(ErrorCode::insufficient_capacity), "Insufficient Capacity");
  EXPECT_EQ(reason_phrase(static_cast<ErrorCode>(699)), "");
}

TEST(Types, TwentyNineAttributesAreKnown) {
  unsigned count = 0;
  for (unsigned type = 0; type <= 0xFFFF; ++type) count += known(static_cast<std::uint16_t>(type)) ? 1U : 0U;
  EXPECT_EQ(count, 29U);
  EXPECT_TRUE(known(0x8028));
  EXPECT_FALSE(known(0x0024));  // PRIORITY is ICE's
}

TEST(Types, ComprehensionIsRequiredBelow8000) {
  EXPECT_TRUE(comprehension_required(0x0000));
  EXPECT_TRUE(comprehension_required(0x7FFF));
  EXPECT_FALSE(comprehension_required(0x8000));
  EXPECT_FALSE(comprehension_required(0xFFFF));
}

}  // namespace
}  // namespace offhook::stun
