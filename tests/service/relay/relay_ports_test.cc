#include "service/relay/relay_ports.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/secure_random.h"
#include "service/relay/allocation_quota.h"
#include "service/relay/event_tag.h"

namespace offhook::relay {
namespace {

const Ip kIp = *Ip::parse("127.0.0.1");

std::vector<PortLease> take_all(RelayPorts& ports, unsigned shard, RelayPorts::Parity parity) {
  crypto::SecureRandom random;
  std::vector<PortLease> leases;
  while (auto lease = ports.take(0, shard, parity, random)) leases.push_back(std::move(*lease));
  return leases;
}

TEST(RelayPorts, ShardsShareTheRangeOutWithoutOverlapOrRemainder) {
  for (const auto& [first, last] : std::vector<std::pair<std::uint16_t, std::uint16_t>>{
           {49152, 49251}, {49153, 49250}, {65000, 65535}, {1, 9}, {50001, 50001}}) {
    for (unsigned shards = 1; shards <= 5; ++shards) {
      RelayPorts ports({kIp}, first, last, shards);
      std::set<std::uint16_t> seen;
      std::vector<std::vector<PortLease>> kept;
      for (unsigned shard = 0; shard < shards; ++shard) {
        kept.push_back(take_all(ports, shard, RelayPorts::Parity::any));
        for (const PortLease& lease : kept.back()) {
          EXPECT_TRUE(lease.address().port >= first && lease.address().port <= last);
          EXPECT_TRUE(seen.insert(lease.address().port).second);
        }
      }
      EXPECT_EQ(seen.size(), static_cast<std::size_t>(last - first + 1))
          << first << '-' << last << '/' << shards;
    }
  }
}

TEST(RelayPorts, EvenMeansEvenAndPairsAreNeighbours) {
  RelayPorts ports({kIp}, 50001, 50020, 2);
  const auto even = take_all(ports, 0, RelayPorts::Parity::even);
  EXPECT_FALSE(even.empty());
  for (const PortLease& lease : even) EXPECT_EQ(lease.address().port % 2, 0);
  crypto::SecureRandom random;
  std::vector<std::pair<PortLease, PortLease>> pairs;
  while (auto pair = ports.take_pair(0, 1, random)) {
    EXPECT_EQ(pair->first.address().port % 2, 0);
    EXPECT_EQ(pair->first.address().port + 1, pair->second.address().port);
    pairs.push_back(std::move(*pair));
  }
  EXPECT_EQ(pairs.size(), 5U);
  EXPECT_FALSE(ports.take_pair(0, 0, random)) << "half of each pair of shard 0 is taken";
}

TEST(RelayPorts, ALeaseGoesBackWhenItEndsAndOnlyThen) {
  RelayPorts ports({kIp}, 50000, 50000, 1);
  crypto::SecureRandom random;
  auto lease = ports.take(0, 0, RelayPorts::Parity::any, random);
  ASSERT_TRUE(lease);
  PortLease moved = std::move(*lease);
  lease.reset();
  EXPECT_FALSE(ports.take(0, 0, RelayPorts::Parity::any, random));
  moved.give_back();
  EXPECT_TRUE(ports.take(0, 0, RelayPorts::Parity::any, random));
}

TEST(RelayPorts, OnlyPublishedPortsAreLive) {
  RelayPorts ports({kIp}, 50000, 50010, 1);
  crypto::SecureRandom random;
  auto lease = ports.take(0, 0, RelayPorts::Parity::any, random);
  const Address at = lease->address();
  EXPECT_FALSE(ports.contains(at));
  lease->publish({3, {{7, 9}, Family::ipv4}});
  EXPECT_TRUE(ports.contains(at));
  EXPECT_EQ(ports.holder(at)->shard, 3U);
  EXPECT_EQ(ports.holder(at)->relay, (turn::RelayId{{7, 9}, Family::ipv4}));
  EXPECT_FALSE(ports.contains({*Ip::parse("127.0.0.2"), at.port}));
  EXPECT_FALSE(ports.contains({at.ip, static_cast<std::uint16_t>(at.port + 1)}));
  EXPECT_FALSE(ports.contains({at.ip, 49999}));
  EXPECT_FALSE(ports.contains({at.ip, 50011}));
  lease.reset();
  EXPECT_FALSE(ports.contains(at));
  EXPECT_FALSE(ports.holder(at));
}

TEST(RelayPorts, APortIsLiveInANewIncarnationEachTime) {
  RelayPorts ports({kIp}, 50000, 50000, 1);
  crypto::SecureRandom random;
  const Address at{kIp, 50000};
  std::set<std::uint32_t> incarnations;
  for (std::uint32_t i = 0; i < 5; ++i) {
    auto lease = ports.take(0, 0, RelayPorts::Parity::any, random);
    EXPECT_EQ(ports.incarnation(at), 0U) << "taken is not live";
    lease->publish({0, {{i, 1}, Family::ipv4}});
    EXPECT_EQ(ports.holder(at)->relay.allocation.index, i);
    incarnations.insert(ports.incarnation(at));
    lease->unpublish();
    EXPECT_EQ(ports.incarnation(at), 0U);
    lease->unpublish();
    EXPECT_EQ(ports.incarnation(at), 0U) << "twice is once";
  }
  EXPECT_EQ(incarnations.size(), 5U);
  EXPECT_FALSE(incarnations.contains(0));
}

TEST(RelayPorts, DrawsAreSpread) {
  RelayPorts ports({kIp}, 49152, 65535, 1);
  crypto::SecureRandom random;
  std::set<int> eighths;
  for (int i = 0; i < 200; ++i) {
    const auto lease = ports.take(0, 0, RelayPorts::Parity::any, random);
    eighths.insert((lease->address().port - 49152) / 2048);
  }
  EXPECT_EQ(eighths.size(), 8U);
}

TEST(AllocationQuota, CountsAUserAndAllAndForgetsThoseWithNone) {
  AllocationQuota quota(2, 3);
  using Taking = turn::Quota::Taking;
  EXPECT_EQ(quota.try_take("a"), Taking::taken);
  EXPECT_EQ(quota.try_take("a"), Taking::taken);
  EXPECT_EQ(quota.try_take("a"), Taking::user_limit);
  EXPECT_EQ(quota.try_take("b"), Taking::taken);
  EXPECT_EQ(quota.try_take("c"), Taking::total_limit);
  EXPECT_EQ(quota.users(), 2U);
  quota.give_back("a");
  EXPECT_EQ(quota.try_take("c"), Taking::taken);
  quota.give_back("a");
  quota.give_back("b");
  quota.give_back("c");
  EXPECT_EQ(quota.users(), 0U);
}

TEST(AllocationQuota, ZeroIsUnlimited) {
  AllocationQuota quota(0, 0);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(quota.try_take("a"), turn::Quota::Taking::taken);
}

TEST(EventTag, SurvivesPacking) {
  for (const EventTag& tag :
       {EventTag{EventKind::relay, Family::ipv6, kSerialMask, UINT32_MAX},
        EventTag{EventKind::connection, Family::ipv4, 1, 0}, EventTag{EventKind::mailbox}}) {
    const EventTag back = EventTag::unpack(tag.pack());
    EXPECT_EQ(back.kind, tag.kind);
    EXPECT_EQ(back.family, tag.family);
    EXPECT_EQ(back.serial, tag.serial);
    EXPECT_EQ(back.index, tag.index);
  }
}

}  // namespace
}  // namespace offhook::relay
