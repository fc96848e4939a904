#include "base/address.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include <random>
#include <unordered_set>

namespace offhook {
namespace {

TEST(Ip, ParsesAndPrints) {
  // {what is written, how it is printed}
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"192.0.2.1", "192.0.2.1"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // the first of two equal runs
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one group alone is not shortened
      {"2001:0db8::0001", "2001:db8::1"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"fe80::", "fe80::"},
  };
  for (const auto& [text, printed] : cases) {
    const auto ip = Ip::parse(text);
    ASSERT_TRUE(ip.has_value()) << text;
    EXPECT_EQ(ip->text(), printed);
    EXPECT_EQ(Ip::parse(ip->text()), ip);
  }
}

TEST(Ip, RefusesWhatIsNoAddress) {
  for (const std::string_view text : {"",
                                      " ",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "256.0.0.1",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "1.2.3.4:80",
                                      "01.2.3.4",
                                      "0x1.2.3.4",
                                      "1.2.3.-4",
                                      ":",
                                      ":::",
                                      "1::2::3",
                                      "12345::",
                                      "::g",
                                      "[::1]",
                                      "fe80::1%eth0",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "localhost",
                                      "::1/128"}) {
    EXPECT_FALSE(Ip::parse(text).has_value()) << text;
  }
}

TEST(Ip, FamiliesDoNotMix) {
  const Ip four = Ip::v4({192, 0, 2, 1});
  const auto mapped = Ip::parse("::ffff:192.0.2.1");
  ASSERT_TRUE(mapped.has_value());
  EXPECT_EQ(four.family(), Family::ipv4);
  EXPECT_EQ(mapped->family(), Family::ipv6);
  EXPECT_NE(four, *mapped);
  EXPECT_NE(Ip(), Ip::v6({}));
  EXPECT_EQ(four.octets().size(), 4U);
  EXPECT_EQ(mapped->octets().size(), 16U);
  EXPECT_EQ(Ip::v4(0xC0000201U), four);
}

TEST(Ip, KnowsUnspecifiedAndLoopback) {
  EXPECT_TRUE(Ip().is_unspecified());
  EXPECT_TRUE(Ip::v6({}).is_unspecified());
  EXPECT_FALSE(Ip::v4({0, 0, 0, 1}).is_unspecified());
  EXPECT_TRUE(Ip::parse("127.0.0.1")->is_loopback());
  EXPECT_TRUE(Ip::parse("127.255.255.255")->is_loopback());
  EXPECT_FALSE(Ip::parse("128.0.0.1")->is_loopback());
  EXPECT_TRUE(Ip::parse("::1")->is_loopback());
  EXPECT_FALSE(Ip::parse("::2")->is_loopback());
  EXPECT_FALSE(Ip::parse("::")->is_loopback());
}

TEST(Address, ParsesAndPrints) {
  for (const std::string_view text : {"192.0.2.1:0", "192.0.2.1:3478", "[2001:db8::1]:65535", "[::]:1"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(address->text(), text);
  }
}

TEST(Address, RefusesWhatIsNoAddressWithAPort) {
  for (const std::string_view text : {"",
                                      ":",
                                      ":80",
                                      "192.0.2.1",
                                      "192.0.2.1:",
                                      "192.0.2.1:65536",
                                      "192.0.2.1:-1",
                                      "192.0.2.1:+1",
                                      "192.0.2.1: 1",
                                      "192.0.2.1:1x",
                                      "192.0.2.1:0x10",
                                      "2001:db8::1:80",
                                      "::1",
                                      "[::1]",
                                      "[::1]:",
                                      "[::1:80",
                                      "::1]:80",
                                      "[]:80",
                                      "host:80",
                                      "[192.0.2.1]:80",
                                      "192.0.2.1:99999999999999999999"}) {
    EXPECT_FALSE(Address::parse(text).has_value()) << text;
  }
  EXPECT_FALSE(Address::parse(std::string_view("192.0.2.1\0x:80", 14)).has_value());
}

TEST(Address, RandomAddressesRoundTripAsText) {
  std::mt19937 random(5952);
  for (int round = 0; round < 5000; ++round) {
    std::array<std::uint8_t, 16> octets{};
    for (std::uint8_t& octet : octets)
      octet = random() % 2 == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(random());
    const auto port = static_cast<std::uint16_t>(random());
    const Address six{Ip::v6(octets), port};
    const Address four{Ip::v4(static_cast<std::uint32_t>(random())), port};
    ASSERT_EQ(Address::parse(six.text()), six);
    ASSERT_EQ(Address::parse(four.text()), four);
  }
}

bool within(std::string_view prefix, std::string_view ip) {
  return Prefix::parse(prefix).value().contains(Ip::parse(ip).value());
}

TEST(Prefix, EndsWhereItsLengthSays) {
  EXPECT_TRUE(within("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(within("10.0.0.0/8", "11.0.0.0"));
  EXPECT_FALSE(within("10.0.0.0/8", "9.255.255.255"));
  EXPECT_TRUE(within("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(within("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(within("100.64.0.0/10", "100.127.255.255"));
  EXPECT_FALSE(within("100.64.0.0/10", "100.128.0.0"));
  EXPECT_TRUE(within("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(within("192.0.2.1", "192.0.2.2"));
  EXPECT_TRUE(within("fe80::/10", "febf:ffff::1"));
  EXPECT_FALSE(within("fe80::/10", "fec0::"));
  EXPECT_TRUE(within("2001:db8::/127", "2001:db8::1"));
  EXPECT_FALSE(within("2001:db8::/127", "2001:db8::2"));
  EXPECT_TRUE(within("10.1.2.3/8", "10.200.0.1"));  // host bits do not matter
}

TEST(Prefix, OfLengthZeroHoldsItsFamilyAndNoOther) {
  EXPECT_TRUE(within("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(within("0.0.0.0/0", "::1"));
  EXPECT_TRUE(within("::/0", "2001:db8::1"));
  EXPECT_FALSE(within("::/0", "192.0.2.1"));
  EXPECT_FALSE(within("::ffff:0:0/96", "192.0.2.1"));
  EXPECT_TRUE(within("::ffff:0:0/96", "::ffff:192.0.2.1"));
}

TEST(Prefix, EveryLengthAgreesWithAShift) {
  const std::uint32_t base = 0xC6336401;
  for (unsigned length = 0; length <= 32; ++length) {
    const Prefix prefix(Ip::v4(base), length);
    for (unsigned bit = 0; bit < 32; ++bit) {
      const std::uint32_t other = base ^ (1U << (31 - bit));
      ASSERT_EQ(prefix.contains(Ip::v4(other)), bit >= length) << length << " " << bit;
    }
  }
}

TEST(Prefix, ParsesAndPrints) {
  EXPECT_EQ(Prefix::parse("10.0.0.0/8")->text(), "10.0.0.0/8");
  EXPECT_EQ(Prefix::parse("192.0.2.1")->text(), "192.0.2.1/32");
  EXPECT_EQ(Prefix::parse("2001:db8::")->text(), "2001:db8::/128");
  for (const std::string_view text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8",
                                      "::/129", "10.0.0/8", "10.0.0.0/8 ", "10.0.0.0 /8"}) {
    EXPECT_FALSE(Prefix::parse(text).has_value()) << text;
  }
}

TEST(AddressHash, EqualAddressesHashAlikeAndNeighboursSpread) {
  std::unordered_set<std::size_t> hashes;
  for (std::uint32_t host = 0; host < 1000; ++host) {
    for (std::uint16_t port = 0; port < 10; ++port) {
      const Address address{Ip::v4(0x0A000000U + host), port};
      EXPECT_EQ(hash_value(address), hash_value(Address{Ip::v4(0x0A000000U + host), port}));
      hashes.insert(hash_value(address));
    }
  }
  EXPECT_GT(hashes.size(), 9990U);
}

// Halves that make one factor of a product 0 made them all collide, whatever the seed.
TEST(Address, NobodyCanChooseAddressesThatCollide) {
  for (const std::uint64_t constant : {0xD6E8FEB86659FD93ULL, 0x9E3779B97F4A7C15ULL, 0x0ULL}) {
    for (std::uint64_t family = 0; family < 3; ++family) {
      for (const bool is_low : {false, true}) {
        std::unordered_set<std::size_t> hashes;
        for (std::uint32_t network = 0; network < 1000; ++network) {
          std::array<std::uint8_t, 16> octets{};
          const std::uint64_t chosen = constant ^ family;
          std::memcpy(octets.data() + (is_low ? 8 : 0), &chosen, 8);
          std::memcpy(octets.data() + (is_low ? 4 : 12), &network, 4);
          hashes.insert(hash_value(Ip::v6(octets)));
        }
        EXPECT_GT(hashes.size(), 990U) << constant << " " << family << " " << is_low;
      }
    }
  }
}

}  // namespace
}  // namespace offhook
