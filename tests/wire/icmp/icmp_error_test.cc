#include "wire/icmp/icmp_error.h"

#include <gtest/gtest.h>

#include "base/internet_checksum.h"

namespace offhook::icmp {
namespace {

const Address kRelayed4 = *Address::parse("198.51.100.1:49152");
const Address kPeer4 = *Address::parse("203.0.113.9:5000");
const Address kRelayed6 = *Address::parse("[2001:db8:2::1]:49152");
const Address kPeer6 = *Address::parse("[2001:db8:3::9]:5000");

void append(Buffer& to, Bytes more) { to.insert(to.end(), more.begin(), more.end()); }
void append_u16(Buffer& to, unsigned value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8U));
  to.push_back(static_cast<std::uint8_t>(value));
}

struct Quote {
  std::uint8_t version = 4;
  std::uint8_t header_words = 5;  // IPv4
  unsigned flags_and_offset = 0x4000;
  std::uint8_t protocol = 17;
};

void append_ports(Buffer& to) {
  append_u16(to, 49152);
  append_u16(to, 5000);
  to.insert(to.end(), {0, 180, 0, 0});
}

Buffer quoted_ipv4(const Quote& quote) {
  Buffer bytes{static_cast<std::uint8_t>(quote.version << 4U | quote.header_words), 0, 0, 200, 0, 0};
  append_u16(bytes, quote.flags_and_offset);
  bytes.insert(bytes.end(), {64, quote.protocol, 0, 0});
  append(bytes, kRelayed4.ip.octets());
  append(bytes, kPeer4.ip.octets());
  for (int word = 5; word < quote.header_words; ++word) bytes.insert(bytes.end(), {1, 1, 1, 1});
  append_ports(bytes);
  return bytes;
}

Buffer quoted_ipv6(std::uint8_t version, std::uint8_t next_header, const Buffer& extension = {}) {
  Buffer bytes{static_cast<std::uint8_t>(version << 4U), 0, 0, 0, 0, 180, next_header, 64};
  append(bytes, kRelayed6.ip.octets());
  append(bytes, kPeer6.ip.octets());
  append(bytes, extension);
  append_ports(bytes);
  return bytes;
}

// With a right checksum.
Buffer ipv4_message(std::uint8_t type, std::uint8_t code, unsigned rest, const Buffer& quoted,
                    std::size_t outer_words = 5) {
  Buffer icmp{type, code, 0, 0, 0, 0};
  append_u16(icmp, rest);
  append(icmp, quoted);
  const std::uint16_t checksum = finish_checksum(add_to_checksum(0, icmp));
  std::memcpy(&icmp[2], &checksum, sizeof checksum);
  Buffer message(outer_words * 4);
  message[0] = static_cast<std::uint8_t>(0x40U | outer_words);
  append(message, icmp);
  return message;
}

Buffer ipv6_message(std::uint8_t type, std::uint8_t code, unsigned rest, const Buffer& quoted) {
  Buffer message{type, code, 0, 0, 0, 0};
  append_u16(message, rest);
  append(message, quoted);
  return message;
}

void expect_error(const Buffer& message, Family family, std::uint8_t type, std::uint8_t code,
                  std::uint32_t mtu) {
  const auto error = parse_datagram_error(message, family);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->from, family == Family::ipv4 ? kRelayed4 : kRelayed6);
  EXPECT_EQ(error->to, family == Family::ipv4 ? kPeer4 : kPeer6);
  EXPECT_EQ(error->type, type);
  EXPECT_EQ(error->code, code);
  EXPECT_EQ(error->mtu, mtu);
}

TEST(IcmpError, TellsOfIpv4) {
  const Buffer quoted = quoted_ipv4({});
  expect_error(ipv4_message(3, 3, 77, quoted), Family::ipv4, 3, 3, 0);
  expect_error(ipv4_message(3, 4, 1400, quoted), Family::ipv4, 3, 4, 1400);
  expect_error(ipv4_message(11, 0, 77, quoted), Family::ipv4, 11, 0, 0);
  expect_error(ipv4_message(12, 0, 77, quoted), Family::ipv4, 12, 0, 0);
  // Options in either header, and the first fragment.
  expect_error(ipv4_message(3, 3, 0, quoted_ipv4({.header_words = 7})), Family::ipv4, 3, 3, 0);
  expect_error(ipv4_message(3, 3, 0, quoted, 6), Family::ipv4, 3, 3, 0);
  expect_error(ipv4_message(3, 3, 0, quoted_ipv4({.flags_and_offset = 0x2000})), Family::ipv4, 3, 3, 0);
}

TEST(IcmpError, TellsOfIpv6) {
  const Buffer quoted = quoted_ipv6(6, 17);
  expect_error(ipv6_message(1, 4, 77, quoted), Family::ipv6, 1, 4, 0);
  expect_error(ipv6_message(2, 0, 1280, quoted), Family::ipv6, 2, 0, 1280);
  expect_error(ipv6_message(4, 1, 77, quoted), Family::ipv6, 4, 1, 0);
  expect_error(ipv6_message(1, 4, 0, quoted_ipv6(6, 44, {17, 0, 0, 1, 0, 0, 0, 9})), Family::ipv6, 1, 4, 0);
}

TEST(IcmpError, IsSilentOfAllElse) {
  const auto none4 = [](const Buffer& message) { EXPECT_FALSE(parse_datagram_error(message, Family::ipv4)); };
  const auto none6 = [](const Buffer& message) { EXPECT_FALSE(parse_datagram_error(message, Family::ipv6)); };
  const Buffer quoted = quoted_ipv4({});
  for (const int type : {0, 4, 5, 8, 13}) none4(ipv4_message(static_cast<std::uint8_t>(type), 0, 0, quoted));
  none4(ipv4_message(3, 3, 0, quoted_ipv4({.version = 6})));
  none4(ipv4_message(3, 3, 0, quoted_ipv4({.header_words = 4})));
  none4(ipv4_message(3, 3, 0, quoted_ipv4({.flags_and_offset = 1})));
  none4(ipv4_message(3, 3, 0, quoted_ipv4({.protocol = 6})));
  none4(ipv4_message(3, 3, 0, quoted, 4));
  for (const int type : {0, 5, 128, 129}) {
    none6(ipv6_message(static_cast<std::uint8_t>(type), 0, 0, quoted_ipv6(6, 17)));
  }
  none6(ipv6_message(1, 4, 0, quoted_ipv6(4, 17)));
  none6(ipv6_message(1, 4, 0, quoted_ipv6(6, 6)));
  none6(ipv6_message(1, 4, 0, quoted_ipv6(6, 44, {17, 0, 0, 9, 0, 0, 0, 9})));  // a later fragment
  none6(ipv6_message(1, 4, 0, quoted_ipv6(6, 44, {6, 0, 0, 1, 0, 0, 0, 9})));
}

TEST(IcmpError, ChecksTheChecksumOfIpv4) {
  const Buffer right = ipv4_message(3, 3, 0, quoted_ipv4({}));
  for (std::size_t at = 20; at < right.size(); ++at) {
    Buffer wrong = right;
    wrong[at] ^= 0x10U;
    EXPECT_FALSE(parse_datagram_error(wrong, Family::ipv4)) << at;
  }
}

TEST(IcmpError, WhatIsCutShortSaysNothing) {
  // The ports are the last that is needed of it.
  const Buffer whole6 = ipv6_message(1, 4, 0, quoted_ipv6(6, 17));
  const std::size_t needed6 = whole6.size() - 4;
  for (std::size_t bytes = 0; bytes < whole6.size(); ++bytes) {
    EXPECT_EQ(parse_datagram_error(Bytes(whole6).first(bytes), Family::ipv6).has_value(), bytes >= needed6)
        << bytes;
  }
  Buffer quoted = quoted_ipv4({});
  const std::size_t needed4 = quoted.size() - 4;
  for (; !quoted.empty(); quoted.pop_back()) {
    EXPECT_EQ(parse_datagram_error(ipv4_message(3, 3, 0, quoted), Family::ipv4).has_value(),
              quoted.size() >= needed4);
  }
  EXPECT_FALSE(parse_datagram_error({}, Family::ipv4));
  EXPECT_FALSE(parse_datagram_error({}, Family::ipv6));
}

}  // namespace
}  // namespace offhook::icmp
